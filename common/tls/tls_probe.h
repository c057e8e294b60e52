// TLS probe: why a handshake with a server fails, found by making one.
//
// gRPC reports most causes as "Socket closed"; an operator has to know which it was.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/tls/certificate.h"

namespace sluice {

// Whom a client takes for the server it calls: a node of its own trust domain...
struct ExpectedServer {
  // ...whose certificate is for this DNS name or IP address...
  std::string host;
  // ...or, where it is set, the node with this id, whatever its certificate is for.
  std::optional<std::string> node_id;
};

// Makes a handshake over the connected socket `fd`, which stays open and is left unusable, as a
// client with `own`. Waits for at most `timeout`.
//
// Errors, all UNAVAILABLE UPSTREAM_TLS:
//   the other side speaks no TLS; its certificate is expired, from another authority, or not that
//   of `expected`; it refuses the certificate of this side.
absl::Status ProbeTls(int fd, const ExpectedServer& expected, const CertificateFiles& own,
                      absl::Duration timeout);

// Whether the certificate that a server showed is that of `expected`, for a client that belongs to
// `trust_domain`.
//
// Errors: UNAUTHENTICATED it is not; the message names what it is.
absl::Status CheckServer(absl::string_view pem, const ExpectedServer& expected,
                         const std::string& trust_domain);

}  // namespace sluice
