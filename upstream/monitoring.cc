#include "upstream/monitoring.h"

#include <sys/statvfs.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/process_metrics.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

SessionResult ResultOf(v1::SyncOutcome outcome) {
  switch (outcome) {
    case v1::SYNC_OUTCOME_SUCCEEDED:
      return SessionResult::kSucceeded;
    case v1::SYNC_OUTCOME_PARTIAL:
      return SessionResult::kPartial;
    case v1::SYNC_OUTCOME_CANCELLED:
      return SessionResult::kCancelled;
    case v1::SYNC_OUTCOME_INTERRUPTED:
      return SessionResult::kInterrupted;
    default:
      return SessionResult::kFailed;
  }
}

v1::Reason ReasonOfSession(const v1::Session& session) {
  v1::Reason reason = v1::REASON_UNSPECIFIED;
  if (!session.errors().empty()) {
    v1::Reason_Parse(absl::StrCat("REASON_", session.errors(0).reason()), &reason);
  }
  return reason;
}

}  // namespace

Monitoring::Monitoring() : node_metrics_(registry_) { AddProcessMetrics(registry_); }

Monitoring::~Monitoring() { Stop(); }

absl::StatusOr<std::unique_ptr<Monitoring>> Monitoring::Start(const config::v1::Node& config) {
  std::unique_ptr<Monitoring> monitoring(new Monitoring());
  if (config.metrics_address().empty()) return monitoring;
  HttpEndpointOptions options;
  options.address = config.metrics_address();
  options.metrics = [&registry = monitoring->registry_] { return registry.Text(); };
  options.faults = [&self = *monitoring]() -> std::vector<std::string> {
    MutexLock lock(self.mutex_);
    return self.faults_ ? self.faults_() : std::vector<std::string>();
  };
  options.missing = [&ready = monitoring->ready_]() -> std::vector<std::string> {
    if (ready) return {};
    return {"the node does not serve: its store is being opened, or it is shutting down"};
  };
  ASSIGN_OR_RETURN(monitoring->endpoint_, HttpEndpoint::Start(std::move(options)));
  return monitoring;
}

void Monitoring::SetFaults(std::function<std::vector<std::string>()> faults) {
  MutexLock lock(mutex_);
  faults_ = std::move(faults);
}

CallObserver& Monitoring::ObserveCalls(const Router& router) {
  rpc_metrics_ = std::make_unique<RpcMetrics>(registry_, router);
  return *rpc_metrics_;
}

void Monitoring::CountSession(const v1::Session& session) {
  if (session.outcome() == v1::SYNC_OUTCOME_RUNNING || !session.has_ended_at()) return;
  const int64_t took =
      google::protobuf::util::TimeUtil::TimestampToMicroseconds(session.ended_at()) -
      google::protobuf::util::TimeUtil::TimestampToMicroseconds(session.started_at());
  node_metrics_.CountSession(ResultOf(session.outcome()), ReasonOfSession(session),
                             absl::Microseconds(took));
}

int64_t FreeBytes(const std::string& path) {
  struct statvfs volume {};
  if (statvfs(path.c_str(), &volume) != 0) return 0;
  return static_cast<int64_t>(volume.f_bavail) * static_cast<int64_t>(volume.f_frsize);
}

}  // namespace sluice
