#include "common/rpc/tls_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <functional>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "common/status.h"
#include "common/tls/certificate_directory.h"

namespace sluice {
namespace {

constexpr absl::Duration kChannelLooksAgain = absl::Seconds(5);

std::shared_ptr<grpc::experimental::CertificateProviderInterface> Watch(
    const CertificatePaths& paths, absl::Duration look_again) {
  return std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      paths.key, paths.certificate, paths.authorities,
      static_cast<unsigned>(absl::ToInt64Seconds(look_again)));
}

// gRPC's own would take anybody whose certificate is for the host.
class ServerVerifier : public grpc::experimental::ExternalCertificateVerifier {
 public:
  ServerVerifier(ExpectedServer expected, std::string trust_domain)
      : expected_(std::move(expected)), trust_domain_(std::move(trust_domain)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/, grpc::Status* sync_status) override {
    const grpc::string_ref pem = request->peer_cert();
    const absl::Status server =
        CheckServer(absl::string_view(pem.data(), pem.size()), expected_, trust_domain_);
    *sync_status = server.ok() ? grpc::Status::OK
                               : grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                                              std::string(server.message()));
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  const ExpectedServer expected_;
  const std::string trust_domain_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const CertificatePaths& paths,
                                                               absl::Duration look_again) {
  grpc::experimental::TlsServerCredentialsOptions options(Watch(paths, look_again));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  // Who the caller is decides the gate; a host name says nothing of a client.
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  return grpc::experimental::TlsServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const CertificatePaths& paths, const ExpectedServer& expected) {
  ASSIGN_OR_RETURN(const CertificateFiles files, ReadCertificateFiles(paths));
  ASSIGN_OR_RETURN(const CheckedCertificate own,
                   CheckCertificate(files, std::nullopt, absl::Now()));
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Watch(paths, kChannelLooksAgain));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_verify_server_certs(true);
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      grpc::experimental::ExternalCertificateVerifier::Create<ServerVerifier>(
          expected, own.identity.trust_domain));
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace sluice
