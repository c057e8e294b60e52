// Node metrics: what an operator watches of a node's own work, all names in one place.
//
// What happens is counted by `NodeMetrics`; what stands is read by the functions in `NodeReadings`
// when it is fetched. docs/metrics.md explains every one, and a test compares it with this.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/observe/metrics.h"
#include "sluice/v1/errors.pb.h"

namespace sluice {

// How a synchronisation ended.
enum class SessionResult { kSucceeded, kPartial, kFailed, kCancelled, kInterrupted };

class NodeMetrics {
 public:
  // `registry` must outlive this.
  explicit NodeMetrics(MetricRegistry& registry);

  // `reason` is that of the failure; REASON_UNSPECIFIED where there was none.
  void CountSession(SessionResult result, v1::Reason reason, absl::Duration duration);
  // One durable commit of the store.
  void CountCommit(absl::Duration duration);

 private:
  MetricFamily<Counter>& sessions_;
  Histogram& session_seconds_;
  Histogram& commit_seconds_;
};

// One class of parity findings, as in "missing_downstream", and how many the last check found.
struct FindingCount {
  std::string finding_class;
  int64_t count = 0;
};

// All may be called from any thread and must not block. One that is empty leaves its metric out, as
// lag at a root.
struct NodeReadings {
  std::function<absl::Time()> sync_last_success;  // InfinitePast: never.
  std::function<int64_t()> sync_lag_changes;
  std::function<std::vector<FindingCount>()> parity_findings;
  std::function<absl::Time()> parity_last_check;  // InfinitePast: never.
  std::function<int64_t()> petitions_waiting;
  std::function<int64_t()> content_missing_files;
  std::function<int64_t()> content_missing_bytes;
  std::function<int64_t()> content_free_bytes;
  std::function<int64_t()> store_free_bytes;
  std::function<int64_t()> store_head_sequence;
  std::function<absl::Time()> certificate_expiry;
  std::function<std::vector<v1::Reason>()> conditions;  // That stand now.
  std::function<int64_t()> connections;
  std::function<int64_t()> connections_max;
};

// What the functions use must outlive the last `registry.Text()`.
void AddNodeReadings(MetricRegistry& registry, const NodeReadings& readings);

}  // namespace sluice
