#include "upstream/synthetic/content.h"

#include <algorithm>

#include "upstream/synthetic/draws.h"

namespace sluice::synthetic {
namespace {

constexpr int64_t kWordBytes = sizeof(uint64_t);
constexpr int64_t kPieceBytes = 64 << 10;

}  // namespace

Content::Content(uint64_t seed, uint64_t index, int64_t size_bytes)
    : key_(Draws(seed, Subject::kContent, index).Bits()), size_bytes_(size_bytes) {}

std::string Content::Read(int64_t offset, int64_t max_bytes) const {
  const int64_t wanted = std::clamp<int64_t>(size_bytes_ - offset, 0, max_bytes);
  const int64_t first = offset / kWordBytes;
  const int64_t last = (offset + wanted + kWordBytes - 1) / kWordBytes;
  std::string words(static_cast<size_t>((last - first) * kWordBytes), '\0');
  for (int64_t i = first; i < last; ++i) {
    const uint64_t bits = Mix(key_ + static_cast<uint64_t>(i) * kStep);
    // Least significant byte first on every machine.
    for (int64_t byte = 0; byte < kWordBytes; ++byte) {
      words[static_cast<size_t>((i - first) * kWordBytes + byte)] =
          static_cast<char>(bits >> (8 * byte));
    }
  }
  return words.substr(static_cast<size_t>(offset % kWordBytes), static_cast<size_t>(wanted));
}

Digest Content::ComputeDigest() const {
  Hasher hasher;
  for (int64_t at = 0; at < size_bytes_; at += kPieceBytes) hasher.Update(Read(at, kPieceBytes));
  return hasher.Finish();
}

}  // namespace sluice::synthetic
