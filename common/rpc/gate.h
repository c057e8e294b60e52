// Gate: who may call what. One function decides for every call on every listener.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tls/spiffe_id.h"

namespace sluice {

enum class Role : uint8_t {
  kViewer = 1 << 0,
  kApprover = 1 << 1,
  kAdministrator = 1 << 2,
  kPublisher = 1 << 3,
  kNode = 1 << 4,
};

inline constexpr Role kAllRoles[] = {Role::kViewer, Role::kApprover, Role::kAdministrator,
                                     Role::kPublisher, Role::kNode};

// In lower case, as in a configuration: "viewer".
absl::string_view RoleName(Role role);

class RoleSet {
 public:
  constexpr RoleSet() = default;
  constexpr RoleSet(std::initializer_list<Role> roles) {
    for (const Role role : roles) Add(role);
  }

  // Errors: INVALID_ARGUMENT a name is not a role's; the message lists those that are.
  static absl::StatusOr<RoleSet> FromNames(const std::vector<std::string>& names);
  std::vector<std::string> Names() const;

  constexpr void Add(Role role) {
    bits_ = static_cast<uint8_t>(bits_ | static_cast<uint8_t>(role));
  }
  constexpr bool Has(Role role) const { return (bits_ & static_cast<uint8_t>(role)) != 0; }
  constexpr bool Intersects(RoleSet other) const { return (bits_ & other.bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr RoleSet operator&(RoleSet a, RoleSet b) {
    RoleSet both;
    both.bits_ = static_cast<uint8_t>(a.bits_ & b.bits_);
    return both;
  }
  friend constexpr bool operator==(RoleSet a, RoleSet b) { return a.bits_ == b.bits_; }

 private:
  uint8_t bits_ = 0;
};

// Whether one who has `roles` may call the method ("/sluice.v1.TreeService/ListNodes"). `grantor`
// is said to grant them, as in "this listener".
//
// Errors: PERMISSION_DENIED ROLE_REQUIRED; the message names who may. A method that the table
// (method_roles.h) does not know is nobody's.
absl::Status CheckRoles(absl::string_view path, RoleSet roles,
                        absl::string_view grantor = "this listener");

// Whom a certificate names, from the URIs in it.
//
// Errors: UNAUTHENTICATED there is not exactly one, it is no identity, or it is of another trust
// domain than `trust_domain`.
absl::StatusOr<SpiffeId> IdentifyCaller(const std::vector<std::string>& uris,
                                        absl::string_view trust_domain);

}  // namespace sluice
