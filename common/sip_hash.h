// SipHash: a short keyed hash (SipHash-2-4, Aumasson and Bernstein 2012) that nobody can steer
// without the key.
//
// For tables and comparisons over what strangers chose: whoever does not know the key can make no
// two inputs collide on purpose. 64 bits are too few to be evidence; that is what Digest is for.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

struct SipKey {
  static constexpr int kSizeBytes = 16;

  uint64_t k0 = 0;
  uint64_t k1 = 0;

  // From the system's entropy.
  static SipKey Random();

  // Errors: INVALID_ARGUMENT `bytes` is not 16 bytes long.
  static absl::StatusOr<SipKey> FromBytes(absl::string_view bytes);
  std::string bytes() const;

  friend bool operator==(const SipKey&, const SipKey&) = default;
};

uint64_t SipHash(const SipKey& key, absl::string_view data);

}  // namespace sluice
