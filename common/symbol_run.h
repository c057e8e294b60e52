// Symbol run: consecutive coded symbols as they travel, 13 to 15 bytes each.
//
// As varints: place of the first symbol, size of the set, number of symbols. Then for each symbol 8
// and 4 bytes of sums, little-endian, and its count as a signed varint relative to what is to be
// expected at its place in a set of this size; that is a small number (the paper's section 6).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/coded_symbols.h"

namespace sluice {

// A run of this length stays below 1 MiB.
inline constexpr size_t kSymbolsPerRunMax = 1 << 16;

struct SymbolRun {
  uint32_t first = 0;       // Place of the first symbol.
  uint32_t item_count = 0;  // Size of the whole set.
  std::vector<CodedSymbol> symbols;

  std::string Encode() const;

  // Costs no more memory than `bytes` justify.
  //
  // Errors: INVALID_ARGUMENT it is cut off or has bytes too many; no symbols or too many; a count
  // that no set of this size gives; a number written otherwise than `Encode` writes it.
  static absl::StatusOr<SymbolRun> Decode(absl::string_view bytes);
};

// Sorted items as varints of their distances: about 7 bytes each in a set of a million. Cheaper
// than symbols when a large part of a set differs.
//
// `items` are distinct and sorted.
std::string EncodeItems(std::span<const uint64_t> items);

// Errors: INVALID_ARGUMENT as above, or more than `items_max`, or items that do not ascend.
absl::StatusOr<std::vector<uint64_t>> DecodeItems(absl::string_view bytes, size_t items_max);

}  // namespace sluice
