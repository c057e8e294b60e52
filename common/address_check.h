// Address check: what can be listened on and called, with TLS and without it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

// The host and the port of "host:port" or "[host]:port".
struct HostPort {
  std::string host;
  int port = 0;
};

// Errors: INVALID_ARGUMENT it is malformed; the message says what would be right.
absl::StatusOr<HostPort> SplitHostPort(absl::string_view address);

// A Unix socket or a loopback address.
bool IsLocal(absl::string_view address);

// Whether an address can be called, or listened on, with or without TLS. Errors: those of the two
// below.
absl::Status CheckAddress(absl::string_view address, bool tls, bool for_listening);

// Whether `address` can be listened on, or called, without TLS: "unix:/path", or a loopback IP
// address or "localhost" with a port, as in "127.0.0.1:8530" and "[::1]:8530". Port 0 is for
// listening only.
//
// Errors: INVALID_ARGUMENT it is malformed, or not local; the message says what would be right.
absl::Status CheckLocalAddress(absl::string_view address, bool for_listening);

// Whether `address` can be listened on, or called, with TLS: "host:port".
//
// Errors: INVALID_ARGUMENT it is malformed.
absl::Status CheckTlsAddress(absl::string_view address, bool for_listening);

}  // namespace sluice
