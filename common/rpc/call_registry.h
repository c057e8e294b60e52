// Call registry: the calls that run, counted by caller, so that they can be limited and ended.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "common/rpc/call_driver.h"

namespace sluice {

class CallRegistry {
 public:
  using CallId = uint64_t;

  explicit CallRegistry(int calls_per_peer_max) : calls_per_peer_max_(calls_per_peer_max) {}

  // Counts a call of `peer`; every admitted call is released once. An empty peer is not limited.
  //
  // Errors:
  //   UNAVAILABLE         no more calls are taken.
  //   RESOURCE_EXHAUSTED  the peer has its share of calls in flight; says when to try again.
  absl::StatusOr<CallId> Admit(const std::string& peer);

  // The driver of an admitted call.
  void Attach(CallId id, std::weak_ptr<CallDriver> driver);

  void Release(CallId id);

  // Admits nothing any more and closes all that run.
  void Close(const absl::Status& status);

  // Waits until all calls are released.
  void WaitUntilEmpty();

 private:
  struct Call {
    std::string peer;
    std::weak_ptr<CallDriver> driver;
  };

  const int calls_per_peer_max_;
  Mutex mutex_;
  CondVar changed_;
  std::map<CallId, Call> calls_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, int> by_peer_ ABSL_GUARDED_BY(mutex_);
  CallId last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
