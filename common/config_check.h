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

// Whether a completed configuration needs this node's certificate.
bool NeedsCertificate(const config::v1::Node& node);

}  // namespace sluice
