// TLS probe: why a handshake with a server fails, found by making one.
//
// gRPC reports most causes as "Socket closed"; an operator has to know which it was.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/tls/certificate.h"

namespace sluice {

// Makes a handshake over the connected socket `fd`, which stays open and is left unusable, as a
// client with `own` that expects a node of its own trust domain which is called `host`. Waits for
// at most `timeout`.
//
// Errors, all UNAVAILABLE UPSTREAM_TLS:
//   the other side speaks no TLS; its certificate is expired, from another authority, for another
//   name or for no node; it refuses the certificate of this side.
absl::Status ProbeTls(int fd, const std::string& host, const CertificateFiles& own,
                      absl::Duration timeout);

// Whether the certificate that a server showed is that of a node in `trust_domain` called `host`.
//
// Errors: UNAUTHENTICATED it is not; the message names what it is.
absl::Status CheckServer(absl::string_view pem, const std::string& host,
                         const std::string& trust_domain);

}  // namespace sluice
