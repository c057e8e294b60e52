// Draws: the numbers behind a made-up catalog, the same on every machine.
//
// A draw begins anew for each thing that is made up, from the seed and the thing's index. So any
// update can be made without those before it, and a catalog of any size needs no memory.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace sluice::synthetic {

// SplitMix64's finaliser: a bijection that leaves no pattern of its input.
constexpr uint64_t Mix(uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}

// The step of SplitMix64, by which its states differ.
inline constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

// What is drawn for; things of one index that must not depend on each other differ in it.
enum class Subject : uint64_t { kPackage, kUpdate, kSize, kText, kFile, kContent };

class Draws {
 public:
  Draws(uint64_t seed, Subject subject, uint64_t index)
      : state_(Mix(Mix(seed + kStep) ^ Mix((static_cast<uint64_t>(subject) << 56) + index))) {}

  uint64_t Bits() { return Mix(state_ += kStep); }
  // From 0 to `end` - 1.
  uint64_t Below(uint64_t end) { return Bits() % end; }
  // From `from` to `to`, both included.
  uint64_t Between(uint64_t from, uint64_t to) { return from + Below(to - from + 1); }
  // True for that many of a hundred.
  bool Percent(uint64_t percent) { return Below(100) < percent; }
  // From 0 to below 1.
  double Fraction() { return static_cast<double>(Bits() >> 11) * 0x1p-53; }
  // From `from` to `to`, each power of two as likely as the next. By whole numbers only, because
  // logarithms differ in their last bit between machines.
  uint64_t LogBetween(uint64_t from, uint64_t to) {
    const auto power = Between(static_cast<uint64_t>(std::bit_width(from)),
                               static_cast<uint64_t>(std::bit_width(to)));
    const uint64_t low = uint64_t{1} << (power - 1);
    return Between(std::max(from, low), std::min(to, 2 * low - 1));
  }

 private:
  uint64_t state_;
};

}  // namespace sluice::synthetic
