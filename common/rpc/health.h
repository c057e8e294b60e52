// Health board: what this process says about itself by grpc.health.v1.
//
// The name "" is the process as a whole; further names ("sluice.sync", "sluice.content") are set by
// whoever knows. Probes of Kubernetes and grpc_health_probe work unchanged.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "common/rpc/message_source.h"
#include "common/rpc/router.h"
#include "grpc/health/v1/health.pb.h"

namespace sluice {

class HealthBoard {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // The process as a whole serves; nothing else is known.
  HealthBoard();

  void Set(absl::string_view name, bool serving);

  // Everything is NOT_SERVING from now on, whatever is set later.
  void Drain();

  // SERVICE_UNKNOWN when the name was never set.
  Status Get(absl::string_view name) const;

  // Adds grpc.health.v1.Health. The board must outlive all calls.
  void AddTo(Router& router);

 private:
  class Watch;
  struct Watchers;

  void WakeWatchers();

  mutable Mutex mutex_;
  std::map<std::string, Status, std::less<>> statuses_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  const std::shared_ptr<Watchers> watchers_;  // Shared with the watches, which may end later.
};

}  // namespace sluice
