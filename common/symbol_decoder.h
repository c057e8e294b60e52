// Symbol decoder: from the symbols of another side's set and the items of this side's, what only
// one of them has.
//
// Symbols come until it says that it has enough. It never says so for a wrong answer by accident:
// all symbols must be accounted for, every item that is only here must be one of this side's, and
// none that is only there. What an accident of hashes can do beyond that is in coded_symbols.h,
// with the check that its users owe.
//
// A hostile peer costs at most kSymbolsMax symbols of memory and the time to place as many items.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/coded_symbols.h"
#include "common/symbol_run.h"

namespace sluice {

class SymbolDecoder {
 public:
  enum class State {
    kNeedsMore,     // Symbols are lacking.
    kDecoded,       // `only_here` and `only_there` are the difference.
    kContradiction  // The symbols are of no set, or items occur twice: compare otherwise.
  };

  // `here`: this side's items, distinct.
  explicit SymbolDecoder(std::vector<uint64_t> here);

  // Takes the next run. Does nothing once the state is another than kNeedsMore: runs may be under
  // way still.
  //
  // Errors: INVALID_ARGUMENT the run does not follow the last one, or is of a set of another size.
  absl::Status Add(const SymbolRun& run);

  State state() const { return state_; }
  size_t symbols_taken() const { return difference_.size(); }

  // How many symbols to have in all after the next run, so that few runs and few symbols are
  // needed: about as many as the difference takes. At most kSymbolsMax.
  size_t SymbolsAdvised() const;

  // About how many items differ, from how far the counts stray; 1 / 8 off after 128 symbols and
  // less with more. The size that one side has more of is exact from the first symbol on.
  double EstimatedDifferences() const;

  // Positions in `here`, ascending. Once decoded.
  const std::vector<size_t>& only_here() const { return only_here_; }
  // Items, in no particular order. Once decoded.
  const std::vector<uint64_t>& only_there() const { return only_there_; }

 private:
  // An item that was found, and where it goes on.
  struct Found {
    ItemPlaces places;
    int32_t sign;  // 1: only there; -1: only here.
  };
  static bool Later(const Found& a, const Found& b) { return a.places.place() > b.places.place(); }

  void TakeIn(size_t place, CodedSymbol symbol, const CodedSymbol& ours);
  void TakeOut(Found& found);
  void PutInto(size_t place, uint64_t item, int32_t sign);
  void Peel();
  void Conclude();

  const std::vector<uint64_t> here_;
  SymbolEncoder encoder_;
  State state_ = State::kNeedsMore;
  uint32_t item_count_there_ = 0;
  std::vector<CodedSymbol> difference_;  // What is left of it.
  size_t unsolved_ = 0;                  // Symbols of it that are not zero.
  int32_t surplus_there_ = 0;            // Items there less items here.
  double strayed_ = 0;            // Sum of squared deviations of counts, each over its variance.
  std::vector<uint32_t> single_;  // Places that may hold one item.
  std::vector<Found> found_;      // A heap; the earliest next place is on top.
  absl::flat_hash_map<uint64_t, int32_t> signs_;  // Of what was found.
  std::vector<size_t> only_here_;
  std::vector<uint64_t> only_there_;
};

}  // namespace sluice
