// Digest: a SHA-256 value; names content, proves a record's bytes, is the unit of comparisons.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

class Digest {
 public:
  static constexpr int kSizeBytes = 32;

  // All zeros; the digest of nothing that exists.
  constexpr Digest() = default;

  // SHA-256 of `data`.
  static Digest Of(absl::string_view data);

  // Errors: INVALID_ARGUMENT `hex` is not 64 hexadecimal digits.
  static absl::StatusOr<Digest> Parse(absl::string_view hex);

  // Errors: INVALID_ARGUMENT `bytes` is not 32 bytes long.
  static absl::StatusOr<Digest> FromBytes(absl::string_view bytes);

  bool is_zero() const { return *this == Digest(); }
  std::string ToHex() const;  // 64 lower-case digits.
  std::string bytes() const { return std::string(view().data(), view().size()); }
  absl::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

  friend auto operator<=>(const Digest&, const Digest&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Digest& digest) {
    return H::combine(std::move(h), digest.bytes_);
  }

 private:
  friend class Hasher;
  std::array<uint8_t, kSizeBytes> bytes_{};
};

// Computes a digest piece by piece.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Hasher& Update(absl::string_view data);

  // The digest of all that was given; call it once, last.
  Digest Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice
