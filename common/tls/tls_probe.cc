#include "common/tls/tls_probe.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/status.h"
#include "common/tls/openssl_objects.h"

namespace sluice {
namespace {

absl::Status Failed(absl::string_view what) { return MakeError(v1::REASON_UPSTREAM_TLS, what); }

// Waits until the connection can go on; false at the end of the time.
bool WaitFor(int fd, int error, absl::Time until) {
  pollfd waiting = {fd, static_cast<short>(error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN), 0};
  const int64_t milliseconds = absl::ToInt64Milliseconds(until - absl::Now());
  return poll(&waiting, 1, static_cast<int>(std::max<int64_t>(0, milliseconds))) > 0;
}

// The client's side of one handshake.
class Handshake {
 public:
  Handshake(int fd, const std::string& host, absl::Time until)
      : fd_(fd), host_(host), until_(until), context_(SSL_CTX_new(TLS_client_method())) {}

  absl::Status Use(const CertificateFiles& own) {
    ASSIGN_OR_RETURN(const openssl::Key key, openssl::ParsePrivateKey(own.key));
    ASSIGN_OR_RETURN(const auto chain, openssl::ParseCertificates(own.certificate));
    ASSIGN_OR_RETURN(const auto authorities, openssl::ParseCertificates(own.authorities));
    X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
    for (const auto& authority : authorities) X509_STORE_add_cert(store, authority.get());
    SSL_CTX_use_certificate(context_.get(), chain[0].get());
    for (size_t i = 1; i < chain.size(); ++i) {
      SSL_CTX_add1_chain_cert(context_.get(), chain[i].get());
    }
    SSL_CTX_use_PrivateKey(context_.get(), key.get());
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    static constexpr uint8_t kHttp2[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context_.get(), kHttp2, sizeof(kHttp2));
    return absl::OkStatus();
  }

  // Until the server has said what it thinks of our certificate, which in TLS 1.3 it says after
  // the handshake: with an alert, or with its first bytes of HTTP/2.
  absl::Status Run() {
    connection_.reset(SSL_new(context_.get()));
    SSL_set_fd(connection_.get(), fd_);
    SSL_set_tlsext_host_name(connection_.get(), host_.c_str());
    ERR_clear_error();
    RETURN_IF_ERROR(Repeat([this] { return SSL_connect(connection_.get()); }));
    // The client's preface and empty settings, so that it has a reason to answer.
    static constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    RETURN_IF_ERROR(Repeat([this] {
      return SSL_write(connection_.get(), kPreface, static_cast<int>(sizeof(kPreface) - 1));
    }));
    char byte = 0;
    return Repeat([this, &byte] { return SSL_read(connection_.get(), &byte, 1); });
  }

  // What the server showed; empty when it came not so far.
  std::string ServerCertificate() const {
    if (connection_ == nullptr) return "";
    const openssl::Certificate certificate(SSL_get1_peer_certificate(connection_.get()));
    return certificate == nullptr ? "" : openssl::ToPem(*certificate);
  }

 private:
  template <typename Step>
  absl::Status Repeat(Step step) {
    while (true) {
      const int result = step();
      if (result > 0) return absl::OkStatus();
      const int error = SSL_get_error(connection_.get(), result);
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        if (WaitFor(fd_, error, until_)) continue;
        return Failed("the other side did not answer the TLS handshake");
      }
      return Explain(error);
    }
  }

  absl::Status Explain(int error) const {
    const long verified = SSL_get_verify_result(connection_.get());
    const int error_number = errno;
    const std::string errors = openssl::TakeErrors();
    if (verified != X509_V_OK) {
      const std::string pem = ServerCertificate();
      const auto facts = ReadCertificate(pem);
      return Failed(absl::StrCat(
          "the certificate of the other side is not accepted: ",
          X509_verify_cert_error_string(verified),
          facts.ok() ? absl::StrCat("; it is for ", facts->subject, ", from ", facts->issuer,
                                    ", valid until ",
                                    absl::FormatTime(facts->not_after, absl::UTCTimeZone()))
                     : ""));
    }
    if (absl::StrContains(errors, "wrong version number") ||
        absl::StrContains(errors, "packet length")) {
      return Failed("the other side speaks no TLS; is this the port of a plaintext listener?");
    }
    if (absl::StrContains(errors, "alert")) {
      return Failed(absl::StrCat("the other side refuses the certificate of this one: ", errors));
    }
    if (error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN ||
        absl::StrContains(errors, "unexpected eof")) {
      return Failed(absl::StrCat(
          "the other side closed the connection within the TLS handshake",
          error_number == 0 ? "" : absl::StrCat(" (", std::strerror(error_number), ")"),
          "; it does so when it does not accept this one's certificate"));
    }
    return Failed(absl::StrCat("the TLS handshake failed: ", errors));
  }

  const int fd_;
  const std::string host_;
  const absl::Time until_;
  const openssl::Context context_;
  openssl::Connection connection_;
};

}  // namespace

absl::Status CheckServer(absl::string_view pem, const ExpectedServer& expected,
                         const std::string& trust_domain) {
  ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(pem));
  if (!expected.node_id.has_value()) RETURN_IF_ERROR(CheckHost(pem, expected.host));
  ASSIGN_OR_RETURN(const SpiffeId identity, IdentityOf(facts));
  if (identity.kind != PeerKind::kNode) {
    return absl::UnauthenticatedError(absl::StrCat(identity.Text(), " answers, which is no node"));
  }
  if (identity.trust_domain != trust_domain) {
    return absl::UnauthenticatedError(absl::StrCat(
        identity.Text(), " answers; this side belongs to the trust domain ", trust_domain));
  }
  if (expected.node_id.has_value() && identity.name != *expected.node_id) {
    return absl::UnauthenticatedError(
        absl::StrCat(identity.Text(), " answers, and not node ", *expected.node_id));
  }
  return absl::OkStatus();
}

absl::Status ProbeTls(int fd, const ExpectedServer& expected, const CertificateFiles& own,
                      absl::Duration timeout) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  Handshake handshake(fd, expected.host, absl::Now() + timeout);
  RETURN_IF_ERROR(handshake.Use(own));
  RETURN_IF_ERROR(handshake.Run());
  ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(own.certificate));
  ASSIGN_OR_RETURN(const SpiffeId identity, IdentityOf(facts));
  const absl::Status server =
      CheckServer(handshake.ServerCertificate(), expected, identity.trust_domain);
  return server.ok() ? server : Failed(server.message());
}

}  // namespace sluice
