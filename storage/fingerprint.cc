#include "storage/fingerprint.h"

#include <bit>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace sluice {
namespace {

using Limbs = std::array<uint64_t, 4>;

// The digest as a big-endian number.
Limbs ToLimbs(const Digest& digest) {
  static_assert(std::endian::native == std::endian::little);
  Limbs limbs{};
  for (size_t i = 0; i < limbs.size(); ++i) {
    uint64_t limb = 0;
    std::memcpy(&limb, digest.view().data() + i * sizeof(limb), sizeof(limb));
    limbs[limbs.size() - 1 - i] = __builtin_bswap64(limb);
  }
  return limbs;
}

void AddTo(Limbs& sum, const Limbs& limbs) {
  uint64_t carry = 0;
  for (size_t i = 0; i < sum.size(); ++i) {
    const uint64_t partial = sum[i] + carry;
    carry = partial < carry ? 1 : 0;
    sum[i] = partial + limbs[i];
    carry += sum[i] < partial ? 1 : 0;
  }
}

// Two's complement: mod 2^256 subtracting is adding it.
Limbs Negate(Limbs limbs) {
  for (uint64_t& limb : limbs) limb = ~limb;
  AddTo(limbs, {1, 0, 0, 0});
  return limbs;
}

}  // namespace

void Fingerprint::Add(const Digest& digest) {
  ++count_;
  AddTo(sum_, ToLimbs(digest));
}

void Fingerprint::Subtract(const Digest& digest) {
  --count_;
  AddTo(sum_, Negate(ToLimbs(digest)));
}

void Fingerprint::Add(const Fingerprint& other) {
  count_ += other.count_;
  AddTo(sum_, other.sum_);
}

void Fingerprint::Subtract(const Fingerprint& other) {
  count_ -= other.count_;
  AddTo(sum_, Negate(other.sum_));
}

v1::Fingerprint Fingerprint::ToProto() const {
  std::string bytes(Digest::kSizeBytes, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(sum_[3 - i / 8] >> (8 * (7 - i % 8)));
  }
  v1::Fingerprint fingerprint;
  fingerprint.set_count(count_);
  fingerprint.set_sum(bytes);
  return fingerprint;
}

absl::StatusOr<Fingerprint> Fingerprint::FromProto(const v1::Fingerprint& message) {
  Fingerprint fingerprint;
  fingerprint.count_ = message.count();
  if (message.sum().empty() && message.count() == 0) return fingerprint;
  ASSIGN_OR_RETURN(const Digest sum, Digest::FromBytes(message.sum()));
  fingerprint.sum_ = ToLimbs(sum);
  return fingerprint;
}

}  // namespace sluice
