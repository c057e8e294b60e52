#include "common/symbol_run.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace sluice {
namespace {

// Sums and the shortest count.
constexpr size_t kSymbolBytesMin = 8 + 4 + 1;

void AppendVarint(uint64_t value, std::string& bytes) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
}

void AppendFixed(uint64_t value, int size, std::string& bytes) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}

absl::Status CutOff() { return absl::InvalidArgumentError("ends in the middle of a number"); }

absl::StatusOr<uint64_t> TakeVarint(absl::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) return CutOff();
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (shift == 63 && byte > 1) break;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    if (byte == 0 && shift > 0) break;  // It could have been shorter.
    return value;
  }
  return absl::InvalidArgumentError("a number is not written in the shortest form");
}

absl::StatusOr<uint64_t> TakeFixed(size_t size, absl::string_view& bytes) {
  if (bytes.size() < size) return CutOff();
  uint64_t value = 0;
  for (size_t i = size; i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  bytes.remove_prefix(size);
  return value;
}

absl::StatusOr<uint32_t> TakeUpTo(uint64_t max, absl::string_view what, absl::string_view& bytes) {
  ASSIGN_OR_RETURN(const uint64_t value, TakeVarint(bytes));
  if (value > max) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is ", value, ", at most ", max));
  }
  return static_cast<uint32_t>(value);
}

uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// How many of `item_count` items are in the symbol at `place` on average.
int64_t ExpectedCount(size_t place, uint32_t item_count) {
  return 2 * static_cast<int64_t>(item_count) / (static_cast<int64_t>(place) + 2);
}

absl::StatusOr<CodedSymbol> TakeSymbol(size_t place, uint32_t item_count,
                                       absl::string_view& bytes) {
  CodedSymbol symbol;
  ASSIGN_OR_RETURN(symbol.items, TakeFixed(8, bytes));
  ASSIGN_OR_RETURN(const uint64_t checks, TakeFixed(4, bytes));
  symbol.checks = static_cast<uint32_t>(checks);
  ASSIGN_OR_RETURN(const uint64_t deviation, TakeVarint(bytes));
  // Both numbers are below 2^25 in an honest run; this excludes an overflow in any other.
  const bool small = deviation <= std::numeric_limits<uint32_t>::max();
  const int64_t count = small ? ExpectedCount(place, item_count) + UnZigZag(deviation) : -1;
  if (count < 0 || count > int64_t{item_count} || (place == 0 && count != int64_t{item_count})) {
    return absl::InvalidArgumentError(
        absl::StrCat("symbol ", place, " has a count that no set of ", item_count, " items gives"));
  }
  symbol.count = static_cast<int32_t>(count);
  return symbol;
}

}  // namespace

std::string SymbolRun::Encode() const {
  std::string bytes;
  bytes.reserve(12 + symbols.size() * (kSymbolBytesMin + 2));
  AppendVarint(first, bytes);
  AppendVarint(item_count, bytes);
  AppendVarint(symbols.size(), bytes);
  for (size_t i = 0; i < symbols.size(); ++i) {
    AppendFixed(symbols[i].items, 8, bytes);
    AppendFixed(symbols[i].checks, 4, bytes);
    AppendVarint(ZigZag(symbols[i].count - ExpectedCount(first + i, item_count)), bytes);
  }
  return bytes;
}

absl::StatusOr<SymbolRun> SymbolRun::Decode(absl::string_view bytes) {
  SymbolRun run;
  ASSIGN_OR_RETURN(run.first, TakeUpTo(kSymbolsMax, "the first symbol's place", bytes));
  ASSIGN_OR_RETURN(run.item_count, TakeUpTo(kSymbolItemsMax, "the size of the set", bytes));
  ASSIGN_OR_RETURN(const uint32_t count,
                   TakeUpTo(kSymbolsPerRunMax, "the number of symbols", bytes));
  if (count == 0 || run.first + count > kSymbolsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(count, " symbols from ", run.first, " on; a stream has ", kSymbolsMax));
  }
  if (bytes.size() < count * kSymbolBytesMin) return CutOff();
  run.symbols.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const CodedSymbol symbol, TakeSymbol(run.first + i, run.item_count, bytes));
    run.symbols.push_back(symbol);
  }
  if (!bytes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(bytes.size(), " bytes follow the last symbol"));
  }
  return run;
}

std::string EncodeItems(std::span<const uint64_t> items) {
  std::string bytes;
  bytes.reserve(8 * items.size());
  uint64_t least = 0;  // The next item is at least this.
  for (const uint64_t item : items) {
    AppendVarint(item - least, bytes);
    least = item + 1;
  }
  return bytes;
}

absl::StatusOr<std::vector<uint64_t>> DecodeItems(absl::string_view bytes, size_t items_max) {
  std::vector<uint64_t> items;
  uint64_t least = 0;
  while (!bytes.empty()) {
    if (items.size() == items_max) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", items_max, " items"));
    }
    ASSIGN_OR_RETURN(const uint64_t distance, TakeVarint(bytes));
    const uint64_t item = least + distance;
    if (item < least || (least == 0 && !items.empty())) {
      return absl::InvalidArgumentError("an item is not greater than the one before it");
    }
    items.push_back(item);
    least = item + 1;  // 0 after the greatest of all.
  }
  return items;
}

}  // namespace sluice
