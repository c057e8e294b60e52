#include "downstream/sync_service.h"

#include <memory>
#include <string>
#include <utility>

#include "common/errors.h"
#include "google/protobuf/util/time_util.h"
#include "storage/session_rows.h"

namespace sluice {
namespace {

// Says the running session's state whenever it changed.
class WatchSource : public MessageSource {
 public:
  explicit WatchSource(SyncDriver& driver) : driver_(driver) {}
  ~WatchSource() override {
    if (watch_ != 0) driver_.Unwatch(watch_);
  }

  Pull Next() override {
    SyncSnapshot snapshot = driver_.Snapshot();
    v1::WatchSyncResponse response;
    *response.mutable_session() = std::move(snapshot.session);
    response.set_phase_total(snapshot.phase_total);
    response.set_phase_done(snapshot.phase_done);
    std::string said = response.SerializeAsString();
    if (said == said_) return Pull::Wait();
    said_ = std::move(said);
    return Pull::Message(response);
  }

  void OnWake(Waker waker) override { watch_ = driver_.Watch(std::move(waker)); }

 private:
  SyncDriver& driver_;
  std::string said_;
  int64_t watch_ = 0;
};

}  // namespace

void SyncService::AddTo(Router& router) {
  router.Unary<v1::StartSyncRequest, v1::StartSyncResponse>(
      "sluice.v1.SyncService/StartSync",
      [this](const CallContext&, const v1::StartSyncRequest& request) {
        return StartSync(request);
      });
  router.Unary<v1::CancelSyncRequest, v1::CancelSyncResponse>(
      "sluice.v1.SyncService/CancelSync",
      [this](const CallContext&, const v1::CancelSyncRequest&) { return CancelSync(); });
  router.ServerStream<v1::WatchSyncRequest>(
      "sluice.v1.SyncService/WatchSync",
      [this](const CallContext&,
             const v1::WatchSyncRequest&) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        return std::make_unique<WatchSource>(driver_);
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
      [this](const CallContext&, const v1::GetScheduleRequest&) { return GetSchedule(); });
}

absl::StatusOr<v1::StartSyncResponse> SyncService::StartSync(const v1::StartSyncRequest& request) {
  if (!request.source().empty()) {
    return InvalidRequest({{"source", "is for the root alone; this node follows another"}});
  }
  const SyncSnapshot before = driver_.Snapshot();
  driver_.Post(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
  v1::StartSyncResponse response;
  response.set_queued(true);
  if (before.running) response.set_session_id(before.session.session_id());
  return response;
}

absl::StatusOr<v1::CancelSyncResponse> SyncService::CancelSync() {
  v1::CancelSyncResponse response;
  response.set_cancelled(driver_.Snapshot().running);
  driver_.Post(SyncCancelled{});
  return response;
}

absl::StatusOr<v1::GetScheduleResponse> SyncService::GetSchedule() const {
  const SyncSnapshot snapshot = driver_.Snapshot();
  v1::GetScheduleResponse response;
  response.set_watching(snapshot.watching);
  response.set_attempt(snapshot.session.attempt());
  if (snapshot.next_sync != absl::InfiniteFuture()) {
    *response.mutable_next_at() = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
        absl::ToUnixMicros(snapshot.next_sync));
    response.set_next_trigger(snapshot.next_trigger);
  }
  return response;
}

}  // namespace sluice
