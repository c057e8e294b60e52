// Coded symbols: an endless stream that describes a set, of which about 1.35 symbols for each
// difference are enough to tell how two sets differ, whatever their sizes (rateless IBLT, Yang,
// Gilad and Alizadeh, SIGCOMM 2024).
//
// A symbol sums up some of the set's items: their exclusive or, that of their checks, their number.
// An item is in symbol 0 and in symbol i with probability 1 / (1 + i/2) (the paper's section 4,
// with alpha = 0.5), at places that follow from the item alone. So the symbols of one side less
// those of the other are symbols of the difference; one that holds a single item gives it away, and
// taking it out of the others uncovers more (symbol_decoder.h).
//
// An item is 8 bytes: a keyed hash of what is compared (sip_hash.h). Each side maps items back to
// what they stand for over its own set; only items travel. The key is drawn for a session, so that
// nobody who chose what is in the sets could make items collide or gather in chosen symbols.
//
// **Items only say where to look.** Two facts may have the same item by accident (about 1 in 10^7
// for two sets of a million), and a peer may send what it likes. Whoever concludes "the same" from
// items must check it over what the items stand for: the fingerprint of this side, less what is
// only here, plus what is only there, must be the other side's fingerprint. That compares sums of
// SHA-256 values, which know nothing of key and items: a collision leaves two different digests on
// the two sides of the equation, and the comparison falls back to lists instead of saying "in
// parity".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

// More symbols than this are never made or taken: enough for about 190,000 differences.
inline constexpr size_t kSymbolsMax = 1 << 18;

// Sets are no larger than this.
inline constexpr size_t kSymbolItemsMax = 1 << 24;

// The sum of some items.
struct CodedSymbol {
  uint64_t items = 0;   // Exclusive or of the items.
  uint32_t checks = 0;  // Exclusive or of their checks.
  int32_t count = 0;    // In a difference: those only there less those only here.

  // `sign` is 1 or -1.
  void Put(uint64_t item, uint32_t check, int32_t sign) {
    items ^= item;
    checks ^= check;
    count += sign;
  }
  bool is_zero() const { return items == 0 && checks == 0 && count == 0; }

  friend bool operator==(const CodedSymbol&, const CodedSymbol&) = default;
};

// Tells a sum of one item from a sum of several. Not linear in the item, unlike the sum.
uint32_t CheckOf(uint64_t item);

// The symbols that an item is in, one after the other, beginning with symbol 0. The same on every
// machine: what is computed in floating point is exactly rounded in IEEE 754, and no product is
// followed by a sum, which some compilers would fuse.
class ItemPlaces {
 public:
  explicit ItemPlaces(uint64_t item) : item_(item) {}

  uint64_t item() const { return item_; }
  // kSymbolsMax when it is in no more of them.
  uint32_t place() const { return place_; }
  void Advance();

 private:
  uint64_t item_;
  uint32_t steps_ = 0;
  uint32_t place_ = 0;
};

// Makes the symbols of a set.
class SymbolEncoder {
 public:
  // `items` are distinct. (An item given twice cancels itself out of the sums but not out of the
  // count: such a stream differs from that of every set, and does not decode.)
  explicit SymbolEncoder(std::span<const uint64_t> items);

  size_t item_count() const { return places_.size(); }

  // The first `count` symbols, at most kSymbolsMax. They are made in advance, twice as many each
  // time, so that it does not matter in what steps they are asked for. Valid until the next call.
  std::span<const CodedSymbol> First(size_t count);

 private:
  void PutInto(std::span<ItemPlaces> block);

  std::vector<ItemPlaces> places_;
  std::vector<CodedSymbol> symbols_;
};

}  // namespace sluice
