#include "upstream/self_probe.h"

#include "common/tls/certificate_directory.h"
#include "tests/common/rpc/served_router.h"
#include "tests/common/tls_identities.h"

namespace sluice {
namespace {

// A node whose certificate is for another name than its listener's address.
class SelfProbeTest : public ServedRouterTest {
 protected:
  SelfProbeTest() {
    std::filesystem::create_directories(folder_ + "/certificates/incoming");
    Issue(authority_);
    certificates_ = *NodeCertificates::Open(folder_ + "/certificates", kNodeId, log_);
    health_.Set("", true);
  }

  void Issue(const TestAuthority& authority) {
    ASSERT_TRUE(WriteCertificateFiles(
                    folder_ + "/certificates/incoming",
                    authority.Make({PeerKind::kNode, kNodeId, {"hq.example"}, absl::Hours(24)}))
                    .ok());
  }
  void Listen(const CertificatePaths& paths, absl::Duration connection_age = absl::Hours(1)) {
    ServerOptions options;
    options.connection_age = connection_age;
    options.connection_age_grace = absl::Seconds(1);
    options.tls = ServerTls{paths, "contoso.example", [](const SpiffeId&) { return RoleSet(); }};
    options.tls->look_again = absl::Seconds(1);
    Start(options, {{"127.0.0.1:0", kEveryRole, 0660, /*tls=*/true}});
  }
  // Whether the probe comes to say so; it is asked again and again.
  static bool Becomes(bool ok, SelfProbe& probe) {
    const absl::Time until = absl::Now() + absl::Seconds(40);
    while (absl::Now() < until) {
      if (probe.Call(absl::Now()).ok() == ok) return true;
    }
    return false;
  }

  const TestAuthority authority_;
  Log log_{LogLevel::kOff};
  std::unique_ptr<NodeCertificates> certificates_;
};

TEST_F(SelfProbeTest, CallsAListenerWithTlsUntilItAnswersNoMore) {
  Listen(certificates_->paths());
  SelfProbe probe(server_->addresses(), certificates_.get());
  EXPECT_TRUE(probe.Call(absl::Now()).ok()) << probe.Call(absl::Now());
  server_ = nullptr;
  EXPECT_EQ(probe.Call(absl::Now()).code(), absl::StatusCode::kUnavailable)
      << probe.Call(absl::Now());
}

// A restart does not mend it.
TEST_F(SelfProbeTest, FailsNotForACertificateThatHasExpired) {
  Listen(certificates_->paths());
  SelfProbe probe(server_->addresses(), certificates_.get());
  server_ = nullptr;
  EXPECT_FALSE(probe.Call(certificates_->not_after() - absl::Seconds(1)).ok());
  EXPECT_TRUE(probe.Call(certificates_->not_after()).ok());
}

TEST_F(SelfProbeTest, TakesNoOtherNodeForItself) {
  const std::string folder = folder_ + "/other";
  ASSERT_TRUE(WriteCertificateFiles(folder, authority_.Node(kOtherNodeId)).ok());
  Listen(CertificatePaths::In(folder));
  SelfProbe probe(server_->addresses(), certificates_.get());
  const std::string message(probe.Call(absl::Now()).message());
  EXPECT_NE(message.find(kOtherNodeId), std::string::npos) << message;
}

TEST_F(SelfProbeTest, CallsAListenerWithoutTlsWhereThereIsOne) {
  Start();
  const ListenAddress nowhere = {"127.0.0.1:1", RoleSet(), 0660, /*tls=*/true};
  SelfProbe probe({nowhere, server_->addresses()[0]}, nullptr);
  EXPECT_TRUE(probe.Call(absl::Now()).ok()) << probe.Call(absl::Now());
}

// First the listener goes over to another authority, which the old certificates do not know, then
// the probe does. Connections live for a second.
TEST_F(SelfProbeTest, FollowsTheCertificatesOfTheNode) {
  const std::string folder = folder_ + "/listener";
  ASSERT_TRUE(WriteCertificateFiles(folder, authority_.Node()).ok());
  Listen(CertificatePaths::In(folder), /*connection_age=*/absl::Seconds(1));
  SelfProbe probe(server_->addresses(), certificates_.get());
  EXPECT_TRUE(probe.Call(absl::Now()).ok()) << probe.Call(absl::Now());
  const TestAuthority next;
  ASSERT_TRUE(WriteCertificateFiles(folder, next.Node()).ok());
  EXPECT_TRUE(Becomes(false, probe));
  Issue(next);
  certificates_->Look();
  EXPECT_TRUE(Becomes(true, probe)) << probe.Call(absl::Now());
}

}  // namespace
}  // namespace sluice
