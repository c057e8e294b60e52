#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/tls/authority.h"
#include "common/tls/certificate_check.h"
#include "common/tls/openssl_objects.h"
#include "common/tls/spiffe_id.h"
#include "common/tls/tls_probe.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/tls_identities.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SpiffeIdTest, ReadsNodesAndUsers) {
  const std::string node = absl::StrCat("spiffe://contoso.example/node/", kNodeId);
  EXPECT_EQ(ParseSpiffeId(node)->name, kNodeId);
  EXPECT_EQ(ParseSpiffeId(node)->Text(), node);
  EXPECT_EQ(ParseSpiffeId("spiffe://contoso.example/user/ann")->kind, PeerKind::kUser);
}

TEST(SpiffeIdTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "http://contoso.example/user/ann", "spiffe://contoso.example/",
        "spiffe://contoso.example/user/", "spiffe://contoso.example/user/a/b",
        "spiffe://contoso.example/group/ann", "spiffe://contoso.example/node/hq",
        "spiffe://Contoso.example/user/ann", "spiffe:///user/ann",
        "spiffe://contoso.example/node/0E6F9F5A-7A4E-4D1E-9D55-0A3F6D3F1C11",
        "spiffe://contoso.example/user/..", "spiffe://contoso.example/user/a%2fb"}) {
    EXPECT_EQ(ParseSpiffeId(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(AuthorityTest, IssuesWhatANodeCanUse) {
  const TestAuthority authority;
  const auto checked = CheckCertificate(authority.Node(), std::string(kNodeId), absl::Now());
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->identity.trust_domain, "contoso.example");
  EXPECT_THAT(checked->facts.names, ElementsAre("localhost", "127.0.0.1", "::1"));
  EXPECT_GT(checked->facts.not_after, absl::Now() + absl::Hours(23));
  EXPECT_LE(checked->facts.not_after, absl::Now() + absl::Hours(24));
}

TEST(AuthorityTest, RefusesWhatCannotBeIssued) {
  EXPECT_FALSE(MakeAuthority("No Domain", absl::Now()).ok());
  const TestAuthority authority;
  const auto refused = [&authority](const IssueRequest& request) {
    return Issue(authority.get(), request, absl::Now()).status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused({PeerKind::kNode, "hq", {}, absl::Hours(24)}));
  EXPECT_TRUE(refused({PeerKind::kUser, "a/b", {}, absl::Hours(24)}));
  EXPECT_TRUE(refused({PeerKind::kUser, "ann", {"a,DNS:b"}, absl::Hours(24)}));
  EXPECT_TRUE(refused({PeerKind::kUser, "ann", {}, absl::Minutes(59)}));
  EXPECT_TRUE(refused({PeerKind::kUser, "ann", {}, absl::Hours(24 * 365 * 11)}));
  const CertificateFiles node = authority.Node();
  EXPECT_FALSE(Issue({node.key, node.certificate}, {PeerKind::kUser, "ann"}, absl::Now()).ok());
}

// What is wrong with a node's files.
std::string MistakeOf(const CertificateFiles& files, absl::Time now = absl::Now()) {
  const auto checked = CheckCertificate(files, std::string(kNodeId), now);
  EXPECT_EQ(checked.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(checked.status().message());
}

TEST(CheckCertificateTest, RefusesWhatIsEmptyOrGarbage) {
  const TestAuthority authority;
  for (const char* text : {"", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n"}) {
    CertificateFiles files = authority.Node();
    files.key = text;
    EXPECT_THAT(MistakeOf(files), HasSubstr("key.pem: no private key"));
    files = authority.Node();
    files.certificate = text;
    EXPECT_THAT(MistakeOf(files), HasSubstr("cert.pem: "));
    files = authority.Node();
    files.authorities = text;
    EXPECT_THAT(MistakeOf(files), HasSubstr("ca.pem: "));
  }
}

TEST(CheckCertificateTest, RefusesAKeyOfAnotherCertificate) {
  const TestAuthority authority;
  CertificateFiles files = authority.Node();
  files.key = authority.Node().key;
  EXPECT_EQ(MistakeOf(files), "key.pem: is not the key of cert.pem");
}

TEST(CheckCertificateTest, RefusesADamagedLaterCertificate) {
  const TestAuthority authority;
  CertificateFiles files = authority.Node();
  files.authorities += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_THAT(MistakeOf(files), HasSubstr("ca.pem: a damaged certificate"));
}

TEST(CheckCertificateTest, RefusesAForeignAuthority) {
  CertificateFiles files = TestAuthority().Node();
  files.authorities = TestAuthority().get().certificate;
  EXPECT_THAT(MistakeOf(files), HasSubstr("no authority in ca.pem vouches for it"));
}

TEST(CheckCertificateTest, RefusesWhatIsNotValidNow) {
  const CertificateFiles files = TestAuthority().Node();
  EXPECT_THAT(MistakeOf(files, absl::Now() + absl::Hours(25)), HasSubstr("expired at"));
  EXPECT_THAT(MistakeOf(files, absl::Now() + absl::Minutes(23 * 60 + 30)),
              HasSubstr("expires within an hour"));
  EXPECT_THAT(MistakeOf(files, absl::Now() - absl::Hours(1)), HasSubstr("valid only from"));
}

TEST(CheckCertificateTest, RefusesAnotherNodesCertificateAndAUsers) {
  const TestAuthority authority;
  EXPECT_THAT(MistakeOf(authority.Node(kOtherNodeId)),
              AllOf(HasSubstr(kOtherNodeId), HasSubstr(kNodeId)));
  EXPECT_THAT(MistakeOf(authority.User("ann")), HasSubstr("/user/ann"));
}

TEST(CheckCertificateTest, RefusesAnAuthoritysOwnCertificate) {
  const TestAuthority authority;
  EXPECT_THAT(
      MistakeOf({authority.get().key, authority.get().certificate, authority.get().certificate}),
      HasSubstr("is an authority's own certificate"));
}

TEST(CheckServerTest, NamesBothNamesOnAMismatch) {
  const std::string pem = TestAuthority().Node().certificate;
  EXPECT_TRUE(CheckServer(pem, {"localhost"}, "contoso.example").ok());
  EXPECT_TRUE(CheckServer(pem, {"127.0.0.1"}, "contoso.example").ok());
  EXPECT_TRUE(CheckServer(pem, {"::1"}, "contoso.example").ok());
  EXPECT_EQ(CheckServer(pem, {"hq.example"}, "contoso.example").message(),
            "the certificate is not for hq.example but for localhost, 127.0.0.1, ::1");
  EXPECT_THAT(CheckServer(pem, {"localhost"}, "fabrikam.example").message(),
              AllOf(HasSubstr("contoso.example"), HasSubstr("fabrikam.example")));
}

TEST(CheckServerTest, TakesANodeByItsIdWhateverItIsCalled) {
  const std::string pem = TestAuthority().Node().certificate;
  EXPECT_TRUE(CheckServer(pem, {"192.0.2.1", kNodeId}, "contoso.example").ok());
  EXPECT_THAT(CheckServer(pem, {"localhost", kOtherNodeId}, "contoso.example").message(),
              AllOf(HasSubstr(kNodeId), HasSubstr(kOtherNodeId)));
  EXPECT_FALSE(CheckServer(pem, {"localhost", kNodeId}, "fabrikam.example").ok());
}

TEST(CheckServerTest, RefusesAUser) {
  const TestAuthority authority;
  const CertificateFiles user =
      authority.Make({PeerKind::kUser, "ann", {"localhost"}, absl::Hours(24)});
  EXPECT_THAT(CheckServer(user.certificate, {"localhost"}, "contoso.example").message(),
              HasSubstr("which is no node"));
}

}  // namespace
}  // namespace sluice
