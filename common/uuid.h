// Uuid: 16 bytes that name a node, an epoch, an update, a category or a group.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

class Uuid {
 public:
  static constexpr int kSizeBytes = 16;

  // The nil UUID; it names nothing.
  constexpr Uuid() = default;

  // A random UUID (version 4) from the system's entropy.
  static Uuid Random();

  // Version 5 (RFC 4122 section 4.3): the same name in the same namespace gives the same UUID.
  static Uuid FromName(const Uuid& name_space, absl::string_view name);

  // Errors: INVALID_ARGUMENT `text` is not of the form 8-4-4-4-12 in hexadecimal digits.
  static absl::StatusOr<Uuid> Parse(absl::string_view text);

  // Errors: INVALID_ARGUMENT `bytes` is not 16 bytes long.
  static absl::StatusOr<Uuid> FromBytes(absl::string_view bytes);

  bool is_nil() const { return *this == Uuid(); }
  std::string ToString() const;  // Lower case, 8-4-4-4-12.
  std::string bytes() const;     // The 16 bytes.
  absl::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Uuid& id) {
    return H::combine(std::move(h), id.bytes_);
  }

 private:
  std::array<uint8_t, kSizeBytes> bytes_{};
};

}  // namespace sluice
