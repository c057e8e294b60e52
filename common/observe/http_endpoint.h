// HTTP endpoint: where Prometheus fetches metrics and an orchestrator asks about health.
//
//   GET /metrics   the metrics, in Prometheus's text format
//   GET /healthz   200 "ok", or 503 with what is wrong: restart the process
//   GET /readyz    200 "ok", or 503 with what is missing: send it no callers yet
//
// One thread serves everything. Plain HTTP without callers' identities: it only ever tells, and
// only what may be known; listen on loopback or on a network for monitoring.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sluice {

struct HttpEndpointOptions {
  // "127.0.0.1:9464", "[::]:9464": numeric, or "localhost". Port 0 lets the kernel choose.
  std::string address;

  // All three are called by the endpoint's thread and must not block; what they use must outlive
  // the endpoint.
  std::function<std::string()> metrics;               // Required.
  std::function<std::vector<std::string>()> faults;   // Why /healthz fails; empty: it does not.
  std::function<std::vector<std::string>()> missing;  // The same for /readyz.

  // One more connection is refused, unless another can be closed for being too old.
  int connections_max = 64;
  // A connection that says nothing for this long is closed; whole seconds.
  absl::Duration idle_timeout = absl::Seconds(10);
  // A connection that is older may be closed to make room, however busy it seems.
  absl::Duration old_after = absl::Seconds(30);
};

class HttpEndpoint {
 public:
  // Listens and serves.
  //
  // Errors:
  //   INVALID_ARGUMENT     the address is malformed, is a Unix socket or is not numeric.
  //   ALREADY_EXISTS       the address is taken; the message names it.
  //   FAILED_PRECONDITION  the address is not this machine's, or may not be used by this process.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Start(HttpEndpointOptions options);

  // Closes all connections. Waits for the answer that is being made, for nothing else.
  ~HttpEndpoint();

  // As it really is: "127.0.0.1:43121".
  const std::string& address() const;

 private:
  class Impl;
  explicit HttpEndpoint(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
