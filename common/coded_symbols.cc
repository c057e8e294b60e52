#include "common/coded_symbols.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace sluice {
namespace {

constexpr size_t kFirstSymbols = 256;
constexpr size_t kBlock = 64;
// 2^64 divided by the golden ratio.
constexpr uint64_t kStride = 0x9e3779b97f4a7c15;
constexpr double kTwoTo32 = 4294967296.0;

// A bijection whose output bits all depend on all input bits (the finalizer of SplitMix64).
uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

uint32_t CheckOf(uint64_t item) { return static_cast<uint32_t>(Mix(item ^ 0x5bd1e995c6a4a793)); }

// From place i, the chance that the next one lies beyond j is the product of 1 - 1 / (1 + k/2) over
// k in (i, j], which is (i+1)(i+2) / (j+1)(j+2). So with u drawn evenly from (0, 1] the next place
// is the smallest j for which that is at most u: (j + 3/2)^2 >= (i+1)(i+2) / u + 1/4.
void ItemPlaces::Advance() {
  ++steps_;
  const uint64_t drawn = (Mix(item_ + steps_ * kStride) >> 32) + 1;  // u is drawn / 2^32.
  const uint64_t product = (uint64_t{place_} + 1) * (uint64_t{place_} + 2);
  const double scaled = static_cast<double>(product) * kTwoTo32;  // Exact.
  const double quotient = scaled / static_cast<double>(drawn);
  const double least = std::sqrt(quotient + 0.25) - 1.5;
  if (least >= static_cast<double>(kSymbolsMax)) {
    place_ = kSymbolsMax;
    return;
  }
  auto next = static_cast<uint32_t>(least);
  if (static_cast<double>(next) < least) ++next;
  place_ = std::max(next, place_ + 1);
}

SymbolEncoder::SymbolEncoder(std::span<const uint64_t> items) {
  places_.reserve(items.size());
  for (const uint64_t item : items) places_.emplace_back(item);
}

std::span<const CodedSymbol> SymbolEncoder::First(size_t count) {
  count = std::min(count, kSymbolsMax);
  if (count > symbols_.size()) {
    const size_t wanted = std::max({count, 2 * symbols_.size(), kFirstSymbols});
    symbols_.resize(std::min(wanted, kSymbolsMax));
    for (size_t begin = 0; begin < places_.size(); begin += kBlock) {
      PutInto(std::span(places_).subspan(begin, std::min(kBlock, places_.size() - begin)));
    }
  }
  return std::span(symbols_).first(count);
}

// Item by item a step waits for the one before it; a block's items do not wait for each other.
// Which of them go on is written down without a branch, because nobody could foretell it.
void SymbolEncoder::PutInto(std::span<ItemPlaces> block) {
  std::array<ItemPlaces*, kBlock> going;
  size_t count = 0;
  const auto keep = [&](ItemPlaces& places) {
    going[count] = &places;
    count += places.place() < symbols_.size() ? 1 : 0;
  };
  for (ItemPlaces& places : block) keep(places);
  while (count > 0) {
    const size_t before = std::exchange(count, 0);
    for (size_t i = 0; i < before; ++i) {
      ItemPlaces& places = *going[i];
      symbols_[places.place()].Put(places.item(), CheckOf(places.item()), 1);
      places.Advance();
      keep(places);
    }
  }
}

}  // namespace sluice
