#include "common/rpc/gate.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/rpc/method_roles.h"
#include "common/status.h"
#include "common/tls/certificate.h"

namespace sluice {

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kApprover:
      return "approver";
    case Role::kAdministrator:
      return "administrator";
    case Role::kPublisher:
      return "publisher";
    case Role::kNode:
      return "node";
  }
  return "";
}

absl::StatusOr<RoleSet> RoleSet::FromNames(const std::vector<std::string>& names) {
  RoleSet roles;
  for (const std::string& name : names) {
    bool found = false;
    for (const Role role : kAllRoles) {
      if (name != RoleName(role)) continue;
      roles.Add(role);
      found = true;
    }
    if (!found) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", name,
                       "\" is not a role; the roles are viewer, approver, administrator, "
                       "publisher and node"));
    }
  }
  return roles;
}

std::vector<std::string> RoleSet::Names() const {
  std::vector<std::string> names;
  for (const Role role : kAllRoles) {
    if (Has(role)) names.emplace_back(RoleName(role));
  }
  return names;
}

absl::Status CheckRoles(absl::string_view path, RoleSet roles, absl::string_view grantor) {
  const std::optional<MethodRoles> allowed = RolesOfMethod(path);
  if (!allowed.has_value()) {
    return MakeError(v1::REASON_ROLE_REQUIRED,
                     absl::StrCat("nobody may call ", path.substr(path.empty() ? 0 : 1)));
  }
  if (allowed->everybody || allowed->roles.Intersects(roles)) return absl::OkStatus();
  const std::vector<std::string> own = roles.Names();
  return MakeError(
      v1::REASON_ROLE_REQUIRED,
      absl::StrCat(path.substr(1), " is for ", absl::StrJoin(allowed->roles.Names(), ", "), "; ",
                   grantor, " grants ", own.empty() ? "no role" : absl::StrJoin(own, ", ")));
}

absl::StatusOr<SpiffeId> IdentifyCaller(const std::vector<std::string>& uris,
                                        absl::string_view trust_domain) {
  CertificateFacts facts;
  facts.uris = uris;
  ASSIGN_OR_RETURN(SpiffeId id, IdentityOf(facts));
  if (id.trust_domain != trust_domain) {
    return absl::UnauthenticatedError(absl::StrCat(
        id.Text(), " is of another trust domain; this node belongs to ", trust_domain));
  }
  return id;
}

}  // namespace sluice
