// Sync driver: gives the sync engine a thread, a clock and the network.
//
// Everything that happens becomes an event in one queue; one thread takes them one by one, and does
// what the engine says.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "downstream/sync_engine.h"
#include "downstream/upstream_follower.h"
#include "storage/content_store.h"

namespace sluice {

// What the engine is about, for those who ask.
struct SyncSnapshot {
  v1::Session session;  // The running one, or the last.
  int64_t phase_total = 0;
  int64_t phase_done = 0;
  bool running = false;
  bool watching = false;
  bool waiting_for_upstream = false;
  absl::Time next_sync = absl::InfiniteFuture();
  v1::SyncTrigger next_trigger = v1::SYNC_TRIGGER_UNSPECIFIED;
};

class SyncDriver {
 public:
  // What others are told of, by the driver's thread; any may be empty.
  struct Hooks {
    // A session has ended.
    std::function<void(const v1::Session&)> on_ended = {};
    // The upstream answered a report.
    std::function<void(const v1::ReportResponse&)> on_report_answer = {};
    // Another upstream is followed from now on.
    std::function<void()> on_switched = {};
  };

  // `upstreams`: in order of preference, at least one; the engine's `peer` is the first's target.
  SyncDriver(SyncEngineOptions engine, UpstreamCallOptions calls, Catalog& catalog,
             ContentStore& content, std::vector<UpstreamPlace> upstreams, Clock& clock, Log& log,
             Hooks hooks);
  ~SyncDriver();
  SyncDriver(const SyncDriver&) = delete;
  SyncDriver& operator=(const SyncDriver&) = delete;

  void Start();
  // Breaks off what is under way and ends the thread. What was committed stays.
  void Stop();

  // May be called from any thread.
  void Post(EngineEvent event);
  // Follows these from now on, in order of preference.
  void SetUpstreams(std::vector<UpstreamPlace> upstreams);
  // Whom this node follows, and may follow.
  UpstreamFollower::State Upstreams() const { return follower_->state(); }
  Channel& Followed() const { return follower_->followed(); }
  // The one that is followed is behind what this node knows.
  bool waiting_for_upstream() const;
  SyncSnapshot Snapshot() const;
  absl::StatusOr<v1::HelloRequest> MakeHello() const;
  // What this node says of itself.
  absl::StatusOr<v1::NodeStatus> Status() const;

  // Calls `changed`, from the driver's thread, whenever the snapshot changed, or a wanted file's
  // state did. `Unwatch` waits for a call under way.
  int64_t Watch(std::function<void()> changed);
  void Unwatch(int64_t handle);

  // The last word on a file that a node below wants; none when nothing was said yet.
  std::optional<v1::ContentAnswer> ContentAnswerFor(const Digest& digest) const;

 private:
  // The time has come that the follower waits for.
  struct FollowerDue {};
  using Event = std::variant<EngineEvent, std::vector<UpstreamPlace>, ProbeAnswered, FollowerDue>;

  void Run();
  void Enqueue(Event event);
  std::optional<Event> Next();
  std::optional<EngineEvent> Translate(Event event);
  void Do(const EngineAction& action);
  // Removes files that no record names, and tells the engine.
  void Release();
  void Handle(EngineEvent event);

  Clock& clock_;
  Log& log_;
  const Hooks hooks_;
  Catalog& catalog_;
  ContentStore& content_;
  absl::BitGen random_;
  WorkerPool load_pool_;
  SyncEngine engine_;  // Touched by the thread alone, after `Start`.
  std::unique_ptr<UpstreamFollower> follower_;
  std::thread thread_;
  std::atomic<std::thread::id> engine_thread_;
  int64_t catalog_watch_ = 0;

  mutable Mutex mutex_;
  CondVar posted_;
  std::deque<Event> queue_ ABSL_GUARDED_BY(mutex_);
  absl::Time timer_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time follower_due_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  SyncSnapshot snapshot_ ABSL_GUARDED_BY(mutex_);
  v1::NodeStatus reported_ ABSL_GUARDED_BY(mutex_);  // As last reported.
  absl::flat_hash_map<Digest, v1::ContentAnswer> answers_ ABSL_GUARDED_BY(mutex_);

  Mutex watch_mutex_;
  int64_t next_watch_ ABSL_GUARDED_BY(watch_mutex_) = 1;
  std::map<int64_t, std::function<void()>> watches_ ABSL_GUARDED_BY(watch_mutex_);
};

}  // namespace sluice
