// Source sync: runs the root's imports, one at a time, by schedule and on demand;
// sluice.v1.SyncService of the root.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/rpc/router.h"
#include "common/schedule.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/catalog.h"
#include "storage/session_log.h"
#include "upstream/update_source.h"

namespace sluice {

struct ScheduledSource {
  std::unique_ptr<UpdateSource> source;
  SyncScheduleOptions schedule;
  bool import_at_start = true;
};

class SourceSync {
 public:
  // `on_ended` is called with each session that has ended, by the thread that imports. May be
  // empty.
  SourceSync(std::vector<ScheduledSource> sources, Catalog& catalog, Clock& clock, Log& log,
             std::function<void(const v1::Session&)> on_ended = {});
  ~SourceSync();
  SourceSync(const SourceSync&) = delete;
  SourceSync& operator=(const SourceSync&) = delete;

  void Start();
  void Stop();

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  absl::StatusOr<v1::StartSyncResponse> StartSync(const v1::StartSyncRequest& request);
  v1::CancelSyncResponse CancelSync();
  v1::GetScheduleResponse GetSchedule() const;

  // The source of that name; null when there is none.
  UpdateSource* Find(absl::string_view name) const;

 private:
  class WatchSource;
  struct Planned {
    absl::Time at;
    v1::SyncTrigger trigger = v1::SYNC_TRIGGER_SCHEDULE;
  };

  void Run();
  // The source that is due next, waited for; none at the end.
  std::optional<std::pair<size_t, v1::SyncTrigger>> Next();
  void Import(size_t index, v1::SyncTrigger trigger);
  void Publish(const v1::Session& session);

  const std::vector<ScheduledSource> sources_;
  Catalog& catalog_;
  Clock& clock_;
  Log& log_;
  const std::function<void(const v1::Session&)> on_ended_;
  absl::BitGen random_;
  std::vector<std::unique_ptr<SessionLog>> sessions_;  // By source; touched by the thread alone.
  std::vector<int> failures_;                          // In a row, by source.
  std::thread thread_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Planned> planned_ ABSL_GUARDED_BY(mutex_);              // By source.
  std::map<size_t, v1::SyncTrigger> wanted_ ABSL_GUARDED_BY(mutex_);  // Asked for by hand.
  std::optional<std::stop_source> running_ ABSL_GUARDED_BY(mutex_);
  v1::Session session_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  Mutex watch_mutex_;
  int64_t next_watch_ ABSL_GUARDED_BY(watch_mutex_) = 1;
  std::map<int64_t, Waker> watches_ ABSL_GUARDED_BY(watch_mutex_);
};

}  // namespace sluice
