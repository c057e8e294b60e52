// Config check: completes a daemon's configuration with its defaults and names every field that is
// wrong.
//
// `ParseYaml` sees to the form; here is what the form cannot say. After OK every field that has a
// default is set, so the rest of the program reads fields and knows no defaults.
#pragma once

#include <array>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "sluice/config/v1/daemon.pb.h"

namespace sluice {

// Fills in the defaults and checks.
//
// Errors:
//   INVALID_ARGUMENT one or more fields are wrong, each named by its path: "node.state_dir: ...",
//   joined by "; ".
absl::Status CompleteConfig(config::v1::UpstreamDaemon& config);
absl::Status CompleteConfig(config::v1::DownstreamDaemon& config);

// The roles that a listener can grant.
inline constexpr std::array<absl::string_view, 5> kKnownRoles = {
    "viewer", "approver", "administrator", "publisher", "node"};

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

// Whether a completed configuration needs this node's certificate.
bool NeedsCertificate(const config::v1::Node& node);

}  // namespace sluice
