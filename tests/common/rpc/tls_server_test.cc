#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors.h"
#include "common/tls/certificate_directory.h"
#include "gmock/gmock.h"
#include "tests/common/rpc/served_router.h"
#include "tests/common/tls_identities.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A server with a certificate, and callers with theirs.
class TlsServerTest : public ServedRouterTest {
 protected:
  void StartTls(RoleSet listener_roles = kEveryRole, const std::string& address = "127.0.0.1:0") {
    ASSERT_TRUE(WriteCertificateFiles(folder_ + "/server", server_files_).ok());
    ServerOptions options;
    options.handshake_timeout = absl::Seconds(2);
    options.tls = ServerTls{CertificatePaths::In(folder_ + "/server"), "contoso.example",
                            [](const SpiffeId& id) {
                              if (id.kind == PeerKind::kNode) return RoleSet{Role::kNode};
                              return id.name == "ann" ? RoleSet{Role::kViewer} : RoleSet();
                            }};
    Start(options, {{address, listener_roles, 0660, /*tls=*/true}});
  }

  std::string Address() const { return server_->addresses()[0].address; }

  // Calls as somebody, with these files.
  absl::StatusOr<std::unique_ptr<Channel>> As(const CertificateFiles& files,
                                              const std::string& target = "") {
    const std::string folder = absl::StrCat(folder_, "/caller", ++callers_);
    const absl::Status written = WriteCertificateFiles(folder, files);
    if (!written.ok()) return written;
    ChannelOptions options;
    options.certificate = CertificatePaths::In(folder);
    return Channel::Create(target.empty() ? Address() : target, options);
  }
  absl::Status List(const CertificateFiles& files) {
    const auto channel = As(files);
    if (!channel.ok()) return channel.status();
    v1::ListNodesResponse response;
    return (*channel)->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded());
  }

  const TestAuthority authority_;
  CertificateFiles server_files_ = authority_.Node();
  int callers_ = 0;
};

TEST_F(TlsServerTest, TellsTheHandlerWhoCallsAndWithWhatRoles) {
  CallContext seen;
  list_nodes_ = [&seen](const CallContext& context) {
    seen = context;
    return absl::OkStatus();
  };
  StartTls();
  ASSERT_TRUE(List(authority_.User("ann")).ok());
  ASSERT_TRUE(seen.identity.has_value());
  EXPECT_EQ(seen.identity->Text(), "spiffe://contoso.example/user/ann");
  EXPECT_EQ(seen.roles, RoleSet{Role::kViewer});
}

TEST_F(TlsServerTest, RefusesWhoHasNotTheRoleByName) {
  StartTls();
  const absl::Status node = List(authority_.Node(kOtherNodeId));
  EXPECT_EQ(ReasonOf(node), v1::REASON_ROLE_REQUIRED);
  EXPECT_THAT(node.message(),
              AllOf(HasSubstr(kOtherNodeId), HasSubstr("grants node"), HasSubstr("is for viewer")));
  EXPECT_THAT(List(authority_.User("bob")).message(), HasSubstr("user/bob it grants no role"));
}

TEST_F(TlsServerTest, GrantsNoMoreThanTheListenerDoes) {
  StartTls({Role::kNode});
  EXPECT_EQ(ReasonOf(List(authority_.User("ann"))), v1::REASON_ROLE_REQUIRED);
}

TEST_F(TlsServerTest, TellsACallerOfAnotherAuthorityWhatIsTheMatter) {
  StartTls();
  const TestAuthority foreign;
  const absl::Status status = List(foreign.User("ann"));
  EXPECT_EQ(ReasonOf(status), v1::REASON_UPSTREAM_TLS) << status;
  EXPECT_THAT(status.message(), HasSubstr("the certificate of the other side is not accepted"));
}

// It trusts the server, and the server does not trust it.
TEST_F(TlsServerTest, TellsACallerThatItsOwnCertificateIsRefused) {
  StartTls();
  const TestAuthority foreign;
  CertificateFiles files = foreign.User("ann");
  files.authorities += authority_.get().certificate;
  const absl::Status status = List(files);
  EXPECT_EQ(ReasonOf(status), v1::REASON_UPSTREAM_TLS) << status;
  EXPECT_THAT(status.message(), HasSubstr("accept this one's certificate"))
      << "or an alert that says so";
}

TEST_F(TlsServerTest, NamesBothNamesWhenTheServerIsCalledByAnother) {
  StartTls(kEveryRole, "0.0.0.0:0");
  const std::vector<std::string> parts = absl::StrSplit(Address(), ':');
  const auto channel = As(authority_.User("ann"), absl::StrCat("127.0.0.2:", parts[1]));
  ASSERT_TRUE(channel.ok()) << channel.status();
  v1::ListNodesResponse response;
  const absl::Status status =
      (*channel)->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded());
  EXPECT_EQ(ReasonOf(status), v1::REASON_UPSTREAM_TLS) << status;
  EXPECT_THAT(status.message(), HasSubstr("not for 127.0.0.2 but for localhost, 127.0.0.1, ::1"));
}

TEST_F(TlsServerTest, RefusesAnotherTrustDomainEvenWhenBothBundlesHoldBothAuthorities) {
  const TestAuthority other("fabrikam.example");
  server_files_ = authority_.Node();
  server_files_.authorities += other.get().certificate;
  StartTls();
  CertificateFiles files = other.User("ann");
  files.authorities += authority_.get().certificate;
  const absl::Status status = List(files);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("trust domain"));
}

TEST_F(TlsServerTest, TellsACallerWithoutTlsAndAServerWithoutIt) {
  StartTls();
  v1::ListNodesResponse response;
  const absl::Status plain =
      (*Channel::Create(Address()))->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded());
  EXPECT_FALSE(plain.ok());
  server_ = nullptr;
  Start();
  const absl::Status tls = List(authority_.User("ann"));
  EXPECT_EQ(ReasonOf(tls), v1::REASON_UPSTREAM_TLS) << tls;
  EXPECT_THAT(tls.message(), HasSubstr("speaks no TLS"));
}

// One URI more or less than one is nobody (X509-SVID, section 5.2).
TEST_F(TlsServerTest, RefusesCertificatesThatNameNobody) {
  EXPECT_EQ(IdentifyCaller({}, "contoso.example").status().code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(IdentifyCaller({"spiffe://contoso.example/user/ann", "spiffe://contoso.example/user/b"},
                           "contoso.example")
                .status()
                .code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(IdentifyCaller({"spiffe://contoso.example/user/ann"}, "contoso.example").ok());
}

TEST_F(TlsServerTest, WillNotListenElsewhereWithoutTls) {
  const auto server = Server::Start(router_, {}, {{"0.0.0.0:0", kEveryRole}});
  EXPECT_THAT(server.status().message(), HasSubstr("TLS is needed on 0.0.0.0:0"));
  const auto without = Server::Start(router_, {}, {{"0.0.0.0:0", kEveryRole, 0660, true}});
  EXPECT_THAT(without.status().message(), HasSubstr("there is no certificate"));
}

// 5,000 connections that never say anything, in waves of what descriptors allow; one who calls from
// another address is answered within two seconds all the while.
TEST_F(TlsServerTest, AnswersWhileThousandsOfSilentConnectionsKnock) {
  StartTls();
  const auto channel = As(authority_.User("ann"));
  ASSERT_TRUE(channel.ok()) << channel.status();
  const std::vector<std::string> parts = absl::StrSplit(Address(), ':');
  std::vector<int> sockets;
  for (int i = 0; i < 5000; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) break;
    sockaddr_in from = {};
    from.sin_family = AF_INET;
    inet_pton(AF_INET, "127.0.0.77", &from.sin_addr);
    bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof(from));
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(parts[1])));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    sockets.push_back(fd);
  }
  EXPECT_GT(sockets.size(), 500U);
  const absl::Time began = absl::Now();
  v1::ListNodesResponse response;
  const absl::Status status =
      (*channel)->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_LT(absl::Now() - began, absl::Seconds(2));
  for (const int fd : sockets) close(fd);
}

// Certificates are renewed while calls run; none of the calls on open connections may fail, and new
// connections must get through with old and new certificates.
TEST_F(TlsServerTest, LosesNoCallWhileCertificatesAreRenewed) {
  std::filesystem::create_directories(folder_ + "/certificates/incoming");
  ASSERT_TRUE(WriteCertificateFiles(folder_ + "/certificates/incoming", authority_.Node()).ok());
  const auto directory =
      CertificateDirectory::Open(folder_ + "/certificates", kNodeId, absl::Now());
  ASSERT_TRUE(directory.ok()) << directory.status();
  ServerOptions options;
  options.tls = ServerTls{(*directory)->paths(), "contoso.example",
                          [](const SpiffeId&) { return kEveryRole; }};
  options.tls->look_again = absl::Seconds(1);
  Start(options, {{"127.0.0.1:0", kEveryRole, 0660, /*tls=*/true}});
  const auto channel = As(authority_.User("ann"));
  ASSERT_TRUE(channel.ok()) << channel.status();
  std::atomic<bool> renewing = true;
  std::atomic<int> calls = 0;
  std::atomic<int> failed = 0;
  std::thread caller([&] {
    while (renewing) {
      v1::ListNodesResponse response;
      ++calls;
      if (!(*channel)->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded()).ok()) {
        ++failed;
      }
    }
  });
  // Long enough for several looks at the files.
  const absl::Time until = absl::Now() + absl::Seconds(4);
  for (int i = 0; i < 200 || absl::Now() < until; ++i) {
    EXPECT_TRUE(WriteCertificateFiles(folder_ + "/certificates/incoming", authority_.Node()).ok());
    EXPECT_TRUE((*directory)->Look(absl::Now()).changed) << i;
    if (i % 50 == 0) {
      EXPECT_TRUE(List(authority_.User("ann")).ok()) << i;
    }
  }
  renewing = false;
  caller.join();
  EXPECT_GT(calls, 100);
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace sluice
