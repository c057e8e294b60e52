// TLS credentials: a certificate's files as gRPC wants them. For the gRPC side of this folder only.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/certificate.h"
#include "common/tls/tls_probe.h"

namespace sluice {

// Reads the files again every `look_again`, and uses what it finds for new connections.
//
// Callers without a certificate of an accepted authority do not get through the handshake.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const CertificatePaths& paths,
                                                               absl::Duration look_again);

// Accepts `expected` only, in the trust domain of its own certificate.
//
// Errors: those of reading and of CheckCertificate's identity: INVALID_ARGUMENT, NOT_FOUND.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const CertificatePaths& paths, const ExpectedServer& expected);

}  // namespace sluice
