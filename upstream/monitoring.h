// Monitoring: a node's metrics and its answers about health, over HTTP where that is configured.
//
// It is the first thing of a daemon to start and the last to go, so that the endpoint says "not
// ready" while the store is being opened.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/observe/http_endpoint.h"
#include "common/observe/metrics.h"
#include "common/observe/node_metrics.h"
#include "common/observe/rpc_metrics.h"
#include "common/rpc/router.h"
#include "sluice/config/v1/daemon.pb.h"
#include "sluice/v1/sync_service.pb.h"

namespace sluice {

class Monitoring {
 public:
  // Errors: those of HttpEndpoint::Start.
  static absl::StatusOr<std::unique_ptr<Monitoring>> Start(const config::v1::Node& config);

  ~Monitoring();
  Monitoring(const Monitoring&) = delete;
  Monitoring& operator=(const Monitoring&) = delete;

  // Counts the calls of a server from now on; `router` is complete, and outlives this.
  CallObserver& ObserveCalls(const Router& router);
  // What the functions use must live until `Stop` has returned.
  void AddReadings(const NodeReadings& readings) { AddNodeReadings(registry_, readings); }

  // A session that has ended.
  void CountSession(const v1::Session& session);
  void CountCommit(absl::Duration duration) { node_metrics_.CountCommit(duration); }

  // Why the process should be restarted; asked for /healthz. What it uses must live until `Stop`.
  void SetFaults(std::function<std::vector<std::string>()> faults);

  // From now on the node serves.
  void SetReady() { ready_ = true; }
  // Not any more.
  void SetDraining() { ready_ = false; }
  // Answers nobody any more.
  void Stop() { endpoint_ = nullptr; }

  // Of the endpoint as it really is; empty where none is configured.
  std::string address() const { return endpoint_ == nullptr ? "" : endpoint_->address(); }

 private:
  Monitoring();

  MetricRegistry registry_;
  NodeMetrics node_metrics_;
  std::unique_ptr<RpcMetrics> rpc_metrics_;
  std::atomic<bool> ready_ = false;
  Mutex mutex_;
  std::function<std::vector<std::string>()> faults_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<HttpEndpoint> endpoint_;
};

// Free bytes for this process on the volume of `path`; 0 when it cannot be asked.
int64_t FreeBytes(const std::string& path);

}  // namespace sluice
