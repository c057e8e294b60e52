// Authority: a small private certificate authority, for trees that have no other.
//
// Everything it issues any other authority can issue as well; docs/operating.md lists what a
// certificate must say.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/certificate.h"
#include "common/tls/spiffe_id.h"

namespace sluice {

// In PEM.
struct Authority {
  std::string key;
  std::string certificate;
};

inline constexpr char kAuthorityKeyFile[] = "ca-key.pem";

// Makes an authority for a trust domain, valid for ten years.
//
// Errors: INVALID_ARGUMENT `trust_domain` cannot be one.
absl::StatusOr<Authority> MakeAuthority(const std::string& trust_domain, absl::Time now);

// The trust domain that an authority is for. Errors: INVALID_ARGUMENT it is none of MakeAuthority.
absl::StatusOr<std::string> TrustDomainOf(const Authority& authority);

struct IssueRequest {
  PeerKind kind = PeerKind::kNode;
  std::string name;                // The node id, or the user's name.
  std::vector<std::string> hosts;  // DNS names and IP addresses under which a node is called.
  absl::Duration valid_for = absl::Hours(24 * 90);
};

// Issues a key and a certificate for it.
//
// Errors: INVALID_ARGUMENT the name or a host is not well formed, or the time is not from an hour
// to ten years.
absl::StatusOr<CertificateFiles> Issue(const Authority& authority, const IssueRequest& request,
                                       absl::Time now);

}  // namespace sluice
