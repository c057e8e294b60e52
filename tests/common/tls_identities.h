// TLS identities: an authority and what it issues, for tests.
#pragma once

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/tls/authority.h"
#include "common/tls/certificate.h"
#include "gtest/gtest.h"

namespace sluice {

inline constexpr char kNodeId[] = "0e6f9f5a-7a4e-4d1e-9d55-0a3f6d3f1c11";
inline constexpr char kOtherNodeId[] = "7d7a1c1e-2f7b-4a84-8f04-55b1d0f3a2c9";

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& trust_domain = "contoso.example",
                         absl::Time now = absl::Now())
      : now_(now), authority_(*MakeAuthority(trust_domain, now)) {}

  CertificateFiles Node(const std::string& id = kNodeId,
                        absl::Duration valid_for = absl::Hours(24)) const {
    return Make({PeerKind::kNode, id, {"localhost", "127.0.0.1", "::1"}, valid_for});
  }
  CertificateFiles User(const std::string& name) const {
    return Make({PeerKind::kUser, name, {}, absl::Hours(24)});
  }
  CertificateFiles Make(const IssueRequest& request) const {
    const absl::StatusOr<CertificateFiles> files = Issue(authority_, request, now_);
    EXPECT_TRUE(files.ok()) << files.status();
    return *files;
  }
  const Authority& get() const { return authority_; }

 private:
  const absl::Time now_;
  const Authority authority_;
};

}  // namespace sluice
