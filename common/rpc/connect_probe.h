// Connect probe: why an address could not be reached, found by trying it.
//
// gRPC answers UNAVAILABLE with varying text to all of it; what an operator has to do differs.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/endpoint.h"
#include "common/tls/certificate.h"

namespace sluice {

// Tries `endpoint`, for at most about `timeout` where it answers nothing. Blocks. With
// `certificate` it also makes a TLS handshake, with the node `node_id` where that is set, else with
// one called by the endpoint's host. OK: calls should get through.
//
// Errors, each naming the endpoint:
//   UNAVAILABLE UPSTREAM_DNS      the name does not resolve.
//   UNAVAILABLE UPSTREAM_CONNECT  nothing accepts connections there.
//   UNAVAILABLE UPSTREAM_TLS      the handshake fails, or one side does not accept the other's
//                                 certificate; or there is no certificate, and the address is not
//                                 on this machine.
absl::Status ProbeConnect(const Endpoint& endpoint, absl::Duration timeout,
                          const std::optional<CertificatePaths>& certificate = std::nullopt,
                          const std::optional<std::string>& node_id = std::nullopt);

}  // namespace sluice
