// Upstream target: where an upstream is called, and the fallbacks of a configuration.
#pragma once

#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sluice/config/v1/daemon.pb.h"

namespace sluice {

// Whether an upstream at `target` is called with TLS. `tls`: what was said of it, if anything.
//
// Errors: INVALID_ARGUMENT it is malformed, or neither local nor with TLS.
absl::StatusOr<bool> CheckUpstreamTarget(absl::string_view target, std::optional<bool> tls);

// Checks and completes `fallback_upstreams`; calls `mistake` with a field's path for each that is
// wrong.
void CompleteFallbacks(config::v1::DownstreamDaemon& config,
                       absl::FunctionRef<void(absl::string_view, absl::string_view)> mistake);

}  // namespace sluice
