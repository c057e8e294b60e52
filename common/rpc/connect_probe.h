// Connect probe: why an address could not be reached, found by trying it.
//
// gRPC answers UNAVAILABLE with varying text to all of it; what an operator has to do differs.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/endpoint.h"

namespace sluice {

// Tries `endpoint`, for at most about `timeout` where it answers nothing. Blocks. OK: it accepts
// connections.
//
// Errors, each naming the endpoint:
//   UNAVAILABLE UPSTREAM_DNS      the name does not resolve.
//   UNAVAILABLE UPSTREAM_CONNECT  nothing accepts connections there.
//   UNAVAILABLE UPSTREAM_TLS      the address is not on this machine, and there TLS is needed.
absl::Status ProbeConnect(const Endpoint& endpoint, absl::Duration timeout);

}  // namespace sluice
