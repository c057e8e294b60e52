#include "upstream/source_sync.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/session_rows.h"
#include "upstream/importer.h"

namespace sluice {

// Says the running session's state whenever it changed.
class SourceSync::WatchSource : public MessageSource {
 public:
  explicit WatchSource(SourceSync& sync) : sync_(sync) {}
  ~WatchSource() override {
    MutexLock lock(sync_.watch_mutex_);
    sync_.watches_.erase(watch_);
  }

  Pull Next() override {
    v1::WatchSyncResponse response;
    {
      MutexLock lock(sync_.mutex_);
      *response.mutable_session() = sync_.session_;
    }
    std::string said = response.SerializeAsString();
    if (said == said_) return Pull::Wait();
    said_ = std::move(said);
    return Pull::Message(response);
  }

  void OnWake(Waker waker) override {
    MutexLock lock(sync_.watch_mutex_);
    watch_ = sync_.next_watch_++;
    sync_.watches_.emplace(watch_, std::move(waker));
  }

 private:
  SourceSync& sync_;
  std::string said_;
  int64_t watch_ = 0;
};

SourceSync::SourceSync(std::vector<ScheduledSource> sources, Catalog& catalog, Clock& clock,
                       Log& log, std::function<void(const v1::Session&)> on_ended)
    : sources_(std::move(sources)),
      catalog_(catalog),
      clock_(clock),
      log_(log),
      on_ended_(std::move(on_ended)),
      failures_(sources_.size(), 0) {
  MutexLock lock(mutex_);
  for (const ScheduledSource& scheduled : sources_) {
    sessions_.push_back(std::make_unique<SessionLog>(catalog, scheduled.source->name()));
    planned_.push_back(scheduled.import_at_start
                           ? Planned{absl::InfinitePast(), v1::SYNC_TRIGGER_START}
                           : Planned{NextScheduled(clock_.Now(), scheduled.schedule, random_),
                                     v1::SYNC_TRIGGER_SCHEDULE});
  }
}

SourceSync::~SourceSync() { Stop(); }

void SourceSync::Start() {
  thread_ = std::thread([this] { Run(); });
}

void SourceSync::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    if (running_.has_value()) running_->request_stop();
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

UpdateSource* SourceSync::Find(absl::string_view name) const {
  for (const ScheduledSource& scheduled : sources_) {
    if (scheduled.source->name() == name) return scheduled.source.get();
  }
  return nullptr;
}

void SourceSync::Run() {
  if (!sessions_.empty()) {
    const absl::Status closed = sessions_.front()->CloseInterrupted(clock_.Now());
    if (!closed.ok()) log_.Error("sessions_unreadable", {{"status", closed}});
  }
  while (const auto next = Next()) Import(next->first, next->second);
}

std::optional<std::pair<size_t, v1::SyncTrigger>> SourceSync::Next() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (!wanted_.empty()) {
      const std::pair<size_t, v1::SyncTrigger> wanted = *wanted_.begin();
      wanted_.erase(wanted_.begin());
      return wanted;
    }
    const auto due =
        std::min_element(planned_.begin(), planned_.end(),
                         [](const Planned& a, const Planned& b) { return a.at < b.at; });
    const absl::Duration left =
        due == planned_.end() ? absl::InfiniteDuration() : due->at - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      const auto index = static_cast<size_t>(due - planned_.begin());
      return std::make_pair(index, due->trigger);
    }
    if (left == absl::InfiniteDuration()) {
      changed_.Wait(mutex_);
    } else {
      changed_.WaitFor(mutex_, left);
    }
  }
  return std::nullopt;
}

void SourceSync::Import(size_t index, v1::SyncTrigger trigger) {
  const ScheduledSource& scheduled = sources_[index];
  SessionLog& sessions = *sessions_[index];
  std::stop_token stop;
  {
    MutexLock lock(mutex_);
    running_.emplace();
    stop = running_->get_token();
    if (stopping_) running_->request_stop();
  }
  absl::Status status = sessions.Begin(trigger, clock_.Now(), random_);
  Publish(sessions.session());
  if (status.ok()) {
    status = Annotate(Importer(catalog_, clock_).Import(*scheduled.source, sessions, stop),
                      absl::StrCat("importing from ", scheduled.source->name()));
  }
  // What was finished before the word came stays finished.
  if (!status.ok() && stop.stop_requested()) {
    status = MakeError(v1::REASON_CANCELLED, "cancelled");
  }
  sessions.End(status, clock_.Now()).IgnoreError();
  Publish(sessions.session());
  if (on_ended_) on_ended_(sessions.session());
  const v1::SyncCounts& counts = sessions.session().counts();
  if (status.ok()) {
    log_.Info("import_finished", {{"source", scheduled.source->name()},
                                  {"session", sessions.session().session_id()},
                                  {"revisions", counts.revisions()},
                                  {"expiries", counts.expiries()},
                                  {"items_failed", sessions.session().items_failed()}});
  } else {
    log_.Warn("import_failed", {{"source", scheduled.source->name()}, {"status", status}});
  }

  const bool retry =
      !status.ok() && IsRetryable(status) && failures_[index] < scheduled.schedule.retries;
  failures_[index] = retry ? failures_[index] + 1 : 0;
  MutexLock lock(mutex_);
  running_.reset();
  planned_[index] = {NextScheduled(clock_.Now(), scheduled.schedule, random_),
                     v1::SYNC_TRIGGER_SCHEDULE};
  const absl::Time retry_at = clock_.Now() + scheduled.schedule.retry_interval;
  if (retry && retry_at < planned_[index].at) {
    planned_[index] = {retry_at, v1::SYNC_TRIGGER_RETRY};
  }
}

void SourceSync::Publish(const v1::Session& session) {
  {
    MutexLock lock(mutex_);
    session_ = session;
  }
  MutexLock lock(watch_mutex_);
  for (const auto& [handle, wake] : watches_) wake();
}

absl::StatusOr<v1::StartSyncResponse> SourceSync::StartSync(const v1::StartSyncRequest& request) {
  if (sources_.empty()) {
    return MakeError(v1::REASON_NO_UPSTREAM, "this node has neither sources nor an upstream");
  }
  std::vector<std::string> names;
  v1::StartSyncResponse response;
  MutexLock lock(mutex_);
  for (size_t i = 0; i < sources_.size(); ++i) {
    names.push_back(sources_[i].source->name());
    if (!request.source().empty() && request.source() != names.back()) continue;
    wanted_[i] = v1::SYNC_TRIGGER_OPERATOR;
    response.set_queued(true);
    response.add_sources(names.back());
  }
  if (!response.queued()) {
    return absl::NotFoundError(absl::StrCat("there is no source \"", request.source(),
                                            "\"; there are: ", absl::StrJoin(names, ", ")));
  }
  if (running_.has_value()) response.set_session_id(session_.session_id());
  changed_.NotifyAll();
  return response;
}

v1::CancelSyncResponse SourceSync::CancelSync() {
  MutexLock lock(mutex_);
  wanted_.clear();
  v1::CancelSyncResponse response;
  response.set_cancelled(running_.has_value());
  if (running_.has_value()) running_->request_stop();
  return response;
}

v1::GetScheduleResponse SourceSync::GetSchedule() const {
  v1::GetScheduleResponse response;
  MutexLock lock(mutex_);
  for (const Planned& planned : planned_) {
    if (planned.at == absl::InfiniteFuture() || planned.at == absl::InfinitePast()) continue;
    const google::protobuf::Timestamp at =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(planned.at));
    if (response.has_next_at() && !(at < response.next_at())) continue;
    *response.mutable_next_at() = at;
    response.set_next_trigger(planned.trigger);
  }
  response.set_attempt(session_.attempt());
  return response;
}

void SourceSync::AddTo(Router& router) {
  router.Unary<v1::StartSyncRequest, v1::StartSyncResponse>(
      "sluice.v1.SyncService/StartSync",
      [this](const CallContext&, const v1::StartSyncRequest& request) {
        return StartSync(request);
      });
  router.Unary<v1::CancelSyncRequest, v1::CancelSyncResponse>(
      "sluice.v1.SyncService/CancelSync",
      [this](const CallContext&, const v1::CancelSyncRequest&)
          -> absl::StatusOr<v1::CancelSyncResponse> { return CancelSync(); });
  router.ServerStream<v1::WatchSyncRequest>(
      "sluice.v1.SyncService/WatchSync",
      [this](const CallContext&,
             const v1::WatchSyncRequest&) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        return std::make_unique<WatchSource>(*this);
      });
  router.Unary<v1::ListSessionsRequest, v1::ListSessionsResponse>(
      "sluice.v1.SyncService/ListSessions",
      [this](const CallContext&, const v1::ListSessionsRequest& request) {
        return ListSessions(catalog_.Read(), request);
      });
  router.Unary<v1::GetSessionRequest, v1::GetSessionResponse>(
      "sluice.v1.SyncService/GetSession",
      [this](const CallContext&, const v1::GetSessionRequest& request) {
        return GetSession(catalog_.Read(), request);
      });
  router.Unary<v1::GetScheduleRequest, v1::GetScheduleResponse>(
      "sluice.v1.SyncService/GetSchedule",
      [this](const CallContext&, const v1::GetScheduleRequest&)
          -> absl::StatusOr<v1::GetScheduleResponse> { return GetSchedule(); });
}

}  // namespace sluice
