// Method roles: the one table from a method to the roles that may call it.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "common/rpc/gate.h"

namespace sluice {

// Who may call a method.
struct MethodRoles {
  RoleSet roles;
  bool everybody = false;  // Whatever the caller's roles, even none.
};

// The entry of "/sluice.v1.TreeService/ListNodes"; none when the table does not know the method.
std::optional<MethodRoles> RolesOfMethod(absl::string_view path);

}  // namespace sluice
