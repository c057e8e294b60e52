#include "common/symbol_decoder.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

constexpr size_t kFirstSymbols = 128;
// The mean is 1.35 where much differs.
constexpr double kSymbolsPerDifference = 1.38;

bool IsIn(uint64_t item, size_t place) {
  ItemPlaces places(item);
  while (places.place() < place) places.Advance();
  return places.place() == place;
}

bool MayBeSingle(const CodedSymbol& symbol) { return symbol.count == 1 || symbol.count == -1; }

}  // namespace

SymbolDecoder::SymbolDecoder(std::vector<uint64_t> here)
    : here_(std::move(here)), encoder_(here_) {}

absl::Status SymbolDecoder::Add(const SymbolRun& run) {
  if (state_ != State::kNeedsMore) return absl::OkStatus();
  const size_t first = difference_.size();
  const size_t end = first + run.symbols.size();
  if (run.first != first || run.symbols.empty() || end > kSymbolsMax) {
    return absl::InvalidArgumentError(absl::StrCat("symbols ", run.first, " to ",
                                                   run.first + run.symbols.size(), " after ", first,
                                                   " of at most ", kSymbolsMax));
  }
  if (first > 0 && run.item_count != item_count_there_) {
    return absl::InvalidArgumentError(absl::StrCat("a set of ", run.item_count, " items after ",
                                                   item_count_there_, " in the same stream"));
  }
  item_count_there_ = run.item_count;
  const std::span<const CodedSymbol> ours = encoder_.First(end);
  for (size_t place = first; place < end; ++place) {
    TakeIn(place, run.symbols[place - first], ours[place]);
  }
  while (!found_.empty() && found_.front().places.place() < end) {
    std::pop_heap(found_.begin(), found_.end(), Later);
    TakeOut(found_.back());
    std::push_heap(found_.begin(), found_.end(), Later);
  }
  Peel();
  if (state_ == State::kNeedsMore && unsolved_ == 0) Conclude();
  return absl::OkStatus();
}

void SymbolDecoder::TakeIn(size_t place, CodedSymbol symbol, const CodedSymbol& ours) {
  symbol.items ^= ours.items;
  symbol.checks ^= ours.checks;
  symbol.count -= ours.count;
  if (place == 0) {
    surplus_there_ = symbol.count;
  } else {
    // Of d items that differ each is in it with chance p: the count has mean p * surplus and
    // variance p * (1 - p) * d.
    const double p = 2.0 / static_cast<double>(place + 2);
    const double strays = symbol.count - p * surplus_there_;
    strayed_ += strays * strays / (p * (1 - p));
  }
  if (!symbol.is_zero()) ++unsolved_;
  if (MayBeSingle(symbol)) single_.push_back(static_cast<uint32_t>(place));
  difference_.push_back(symbol);
}

double SymbolDecoder::EstimatedDifferences() const {
  const double surplus = std::abs(static_cast<double>(surplus_there_));
  if (difference_.size() < 2) return surplus;
  return std::max(surplus, strayed_ / static_cast<double>(difference_.size() - 1));
}

size_t SymbolDecoder::SymbolsAdvised() const {
  if (difference_.empty()) return kFirstSymbols;
  const double needed = kSymbolsPerDifference * EstimatedDifferences();
  const size_t least = difference_.size() + difference_.size() / 16 + 16;
  if (needed >= static_cast<double>(kSymbolsMax)) return kSymbolsMax;
  return std::min(std::max(static_cast<size_t>(needed), least), kSymbolsMax);
}

// Takes an item out of all symbols that are here, from its next place on.
void SymbolDecoder::TakeOut(Found& found) {
  const uint64_t item = found.places.item();
  for (; found.places.place() < difference_.size(); found.places.Advance()) {
    PutInto(found.places.place(), item, -found.sign);
  }
}

void SymbolDecoder::PutInto(size_t place, uint64_t item, int32_t sign) {
  CodedSymbol& symbol = difference_[place];
  const bool was_zero = symbol.is_zero();
  symbol.Put(item, CheckOf(item), sign);
  if (symbol.is_zero()) {
    if (!was_zero) --unsolved_;
    return;
  }
  if (was_zero) ++unsolved_;
  if (MayBeSingle(symbol)) single_.push_back(static_cast<uint32_t>(place));
}

// Every item is found at most once, and there are at most as many as symbols; so this ends whatever
// the symbols are.
void SymbolDecoder::Peel() {
  while (!single_.empty()) {
    const size_t place = single_.back();
    single_.pop_back();
    const CodedSymbol symbol = difference_[place];
    if (!MayBeSingle(symbol) || symbol.checks != CheckOf(symbol.items)) continue;
    if (!IsIn(symbol.items, place)) continue;
    const bool is_new = signs_.emplace(symbol.items, symbol.count).second;
    if (!is_new || signs_.size() > difference_.size()) {
      state_ = State::kContradiction;
      return;
    }
    found_.push_back({ItemPlaces(symbol.items), symbol.count});
    TakeOut(found_.back());
    std::push_heap(found_.begin(), found_.end(), Later);
  }
}

void SymbolDecoder::Conclude() {
  size_t expected_here = 0;
  for (const auto& [item, sign] : signs_) {
    if (sign > 0) {
      only_there_.push_back(item);
    } else {
      ++expected_here;
    }
  }
  bool only_there_is_here = false;
  for (size_t i = 0; i < here_.size() && !signs_.empty(); ++i) {
    const auto found = signs_.find(here_[i]);
    if (found == signs_.end()) continue;
    if (found->second > 0) {
      only_there_is_here = true;
    } else {
      only_here_.push_back(i);
    }
  }
  const bool consistent = !only_there_is_here && only_here_.size() == expected_here;
  state_ = consistent ? State::kDecoded : State::kContradiction;
}

}  // namespace sluice
