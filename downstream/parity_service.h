// Parity service: sluice.v1.ParityService of a node that has an upstream.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "common/rpc/router.h"
#include "downstream/parity_check.h"
#include "sluice/v1/parity_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

class ParityService {
 public:
  struct Options {
    // Introduces this node to the upstream, as the sync engine does.
    std::function<absl::StatusOr<v1::HelloRequest>()> hello;
    absl::Duration timeout = absl::Seconds(30);
    // Starts a synchronisation.
    std::function<void()> start_sync;
    // Has a file that was set aside fetched again.
    std::function<void(const Digest&)> refetch;
  };

  ParityService(Catalog& catalog, ContentStore& content, Channel& upstream, Clock& clock,
                Options options);

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  // Compares and returns all messages of the answer. One check at a time: RESOURCE_EXHAUSTED for
  // another.
  absl::StatusOr<std::vector<v1::CheckResponse>> Check(const v1::CheckRequest& request);
  absl::StatusOr<v1::FixResponse> Fix(const v1::FixRequest& request);

  // How many differences of each class the last check found; all of them 0 before the first.
  std::map<v1::FindingClass, int64_t> LastFindings() const;

 private:
  Catalog& catalog_;
  ContentStore& content_;
  Channel& upstream_;
  Clock& clock_;
  const Options options_;
  std::atomic<bool> checking_{false};
  mutable Mutex mutex_;
  std::map<v1::FindingClass, int64_t> found_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
