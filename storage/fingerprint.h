// Fingerprint: what a set of records adds up to, kept incrementally: a count and a sum mod 2^256 of
// digests.
//
// Addition commutes and can be undone, so a shard's fingerprint follows every put and delete at the
// cost of one addition, and the fingerprint of a selection (storage/selection.h) follows from its
// shards'. It finds accidents; it is not evidence against an adversary.
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "common/digest.h"
#include "sluice/v1/record.pb.h"

namespace sluice {

class Fingerprint {
 public:
  void Add(const Digest& digest);
  void Subtract(const Digest& digest);
  void Add(const Fingerprint& other);
  void Subtract(const Fingerprint& other);

  uint64_t count() const { return count_; }
  v1::Fingerprint ToProto() const;
  static absl::StatusOr<Fingerprint> FromProto(const v1::Fingerprint& fingerprint);
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;

 private:
  uint64_t count_ = 0;
  std::array<uint64_t, 4> sum_{};  // Least significant limb first.
};

}  // namespace sluice
