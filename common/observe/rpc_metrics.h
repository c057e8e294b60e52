// RPC metrics: counts a server's calls under the names of go-grpc-prometheus, which dashboards and
// alert rules everywhere know.
//
//   grpc_server_started_total, grpc_server_msg_received_total, grpc_server_msg_sent_total,
//   grpc_server_handling_seconds   {grpc_type, grpc_service, grpc_method}
//   grpc_server_handled_total      the same and grpc_code, as in "PermissionDenied"
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/observe/metrics.h"
#include "common/rpc/call_observer.h"
#include "common/rpc/router.h"

namespace sluice {

class RpcMetrics : public CallObserver {
 public:
  // Adds the metrics, with 0 for every method of `router`, to which nothing may be added any more.
  // Whatever does not exist is counted as grpc_service="unknown", grpc_method="unknown", however
  // many names callers invent. Both must outlive this; this must outlive the server.
  RpcMetrics(MetricRegistry& registry, const Router& router);

  void OnStart(const Method* method) override;
  void OnMessageIn(const Method* method) override;
  void OnMessageOut(const Method* method) override;
  void OnEnd(const Method* method, absl::StatusCode code, absl::Duration duration) override;

 private:
  // OK to UNAUTHENTICATED.
  static constexpr size_t kCodes = 17;

  // All numbers of one method.
  struct Series {
    std::string type;
    std::string service;
    std::string name;
    Counter* started = nullptr;
    Counter* received = nullptr;
    Counter* sent = nullptr;
    Histogram* seconds = nullptr;
    std::array<std::atomic<Counter*>, kCodes> handled = {};  // Null until there is one to count.
  };

  struct Families {
    MetricFamily<Counter>& started;
    MetricFamily<Counter>& handled;
    MetricFamily<Counter>& received;
    MetricFamily<Counter>& sent;
    MetricFamily<Histogram>& seconds;
  };
  static Families AddFamilies(MetricRegistry& registry, size_t methods);

  std::unique_ptr<Series> Open(std::string type, std::string service, std::string name);
  Series& Of(const Method* method) const;
  Counter& Handled(Series& series, absl::StatusCode code);

  const Families families_;
  std::unique_ptr<Series> unknown_;
  absl::flat_hash_map<const Method*, std::unique_ptr<Series>> by_method_;  // Never changes.
};

}  // namespace sluice
