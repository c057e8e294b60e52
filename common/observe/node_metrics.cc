#include "common/observe/node_metrics.h"

#include <map>
#include <set>
#include <utility>

#include "common/errors.h"

namespace sluice {
namespace {

std::vector<double> SessionBounds() { return {0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400}; }

// From a commit on a fast disk to one that the watchdog ends.
std::vector<double> CommitBounds() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 20};
}

absl::string_view NameOf(SessionResult result) {
  switch (result) {
    case SessionResult::kSucceeded:
      return "succeeded";
    case SessionResult::kPartial:
      return "partial";
    case SessionResult::kFailed:
      return "failed";
    case SessionResult::kCancelled:
      return "cancelled";
    case SessionResult::kInterrupted:
      return "interrupted";
  }
  return "failed";
}

std::string NameOf(v1::Reason reason) {
  return reason == v1::REASON_UNSPECIFIED ? "none" : ReasonName(reason);
}

// 0 where there is none.
double SecondsOf(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return 0;
  return absl::ToDoubleSeconds(time - absl::UnixEpoch());
}

void AddNumber(MetricRegistry& registry, const std::function<int64_t()>& read,
               const MetricText& text) {
  if (!read) return;
  registry.AddCallback(text, CallbackKind::kGauge, [read] { return static_cast<double>(read()); });
}

void AddTime(MetricRegistry& registry, const std::function<absl::Time()>& read,
             const MetricText& text) {
  if (!read) return;
  registry.AddCallback(text, CallbackKind::kGauge, [read] { return SecondsOf(read()); });
}

}  // namespace

NodeMetrics::NodeMetrics(MetricRegistry& registry)
    : sessions_(registry.AddCounters({"sluice_sync_sessions_total",
                                      "Synchronisations and imports that have ended, by outcome "
                                      "and by the reason of the failure."},
                                     {"result", "reason"})),
      session_seconds_(
          registry.AddHistogram({"sluice_sync_session_seconds",
                                 "How long synchronisations and imports took, in seconds."},
                                SessionBounds())),
      commit_seconds_(
          registry.AddHistogram({"sluice_store_commit_seconds",
                                 "How long the store took to make a change durable, in seconds."},
                                CommitBounds())) {
  sessions_.At({NameOf(SessionResult::kSucceeded), NameOf(v1::REASON_UNSPECIFIED)});
  // From 0, or the first failure of each reason would not count as an increase.
  for (int number = v1::Reason_MIN; number <= v1::Reason_MAX; ++number) {
    if (!v1::Reason_IsValid(number)) continue;
    sessions_.At({NameOf(SessionResult::kFailed), NameOf(static_cast<v1::Reason>(number))});
  }
}

void NodeMetrics::CountSession(SessionResult result, v1::Reason reason, absl::Duration duration) {
  sessions_.At({NameOf(result), NameOf(reason)}).Increment();
  session_seconds_.Observe(absl::ToDoubleSeconds(duration));
}

void NodeMetrics::CountCommit(absl::Duration duration) {
  commit_seconds_.Observe(absl::ToDoubleSeconds(duration));
}

void AddNodeReadings(MetricRegistry& registry, const NodeReadings& readings) {
  AddTime(registry, readings.sync_last_success,
          {"sluice_sync_last_success_timestamp_seconds",
           "When a synchronisation or import last succeeded, in seconds since 1970; 0: never."});
  AddNumber(registry, readings.sync_lag_changes,
            {"sluice_sync_lag_changes", "Changes at the upstream that are not here yet."});
  AddNumber(registry, readings.content_missing_files,
            {"sluice_content_missing_files", "Wanted files that are not here yet."});
  AddNumber(registry, readings.content_missing_bytes,
            {"sluice_content_missing_bytes", "Size of the wanted files that are not here yet."});
  AddNumber(registry, readings.content_free_bytes,
            {"sluice_content_free_bytes", "Free space on the volume of the files, in bytes."});
  AddNumber(registry, readings.store_free_bytes,
            {"sluice_store_free_bytes", "Free space on the volume of the store, in bytes."});
  AddNumber(registry, readings.store_head_sequence,
            {"sluice_store_head_sequence", "The last durable commit, by its number."});
  AddTime(registry, readings.certificate_expiry,
          {"sluice_certificate_expiry_timestamp_seconds",
           "When this node's certificate ends, in seconds since 1970; 0: there is none."});
  AddNumber(registry, readings.connections, {"sluice_connections", "Open connections of callers."});
  AddNumber(registry, readings.connections_max,
            {"sluice_connections_max", "Connections of callers that may be open at a time."});
  AddTime(registry, readings.parity_last_check,
          {"sluice_parity_last_check_timestamp_seconds",
           "When this node was last compared with its upstream, in seconds since 1970; 0: never."});
  AddNumber(
      registry, readings.petitions_waiting,
      {"sluice_petitions_waiting", "Petitions of nodes below that wait for this node's operator."});
  if (readings.parity_findings) {
    registry.AddCallbacks(
        {"sluice_parity_findings",
         "Differences to the upstream that the last parity check found, by class."},
        CallbackKind::kGauge, {"class"}, [read = readings.parity_findings] {
          std::map<std::string, double> by_class;
          for (const FindingCount& found : read()) {
            by_class[found.finding_class] += static_cast<double>(found.count);
          }
          std::vector<MetricSample> samples;
          for (const auto& [name, count] : by_class) samples.push_back({{name}, count});
          return samples;
        });
  }
  if (readings.conditions) {
    registry.AddCallbacks({"sluice_condition_active", "1 for each reason of a standing problem."},
                          CallbackKind::kGauge, {"reason"}, [read = readings.conditions] {
                            // Several problems of one reason are one series.
                            std::set<std::string> names;
                            for (const v1::Reason reason : read()) names.insert(NameOf(reason));
                            std::vector<MetricSample> samples;
                            for (const std::string& name : names) samples.push_back({{name}, 1});
                            return samples;
                          });
  }
}

}  // namespace sluice
