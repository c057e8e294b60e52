#include "downstream/sync_driver.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/errors.h"
#include "common/status.h"
#include "storage/file_release.h"

namespace sluice {
namespace {

// Answers to nodes below that are remembered; more than any site asks for at a time.
constexpr size_t kAnswersMax = 100'000;
constexpr int kLoadThreads = 2;

std::function<bool(const ContentInfo&)> PresenceIn(ContentStore& content) {
  return [&content](const ContentInfo& file) {
    const absl::StatusOr<ContentInfo> here = content.Stat(file.digest);
    return here.ok() && here->size_bytes == file.size_bytes;
  };
}

SyncEngineOptions WithPool(SyncEngineOptions options, WorkerPool& pool) {
  options.load_pool = &pool;
  return options;
}

void LogSession(const v1::Session& session, Log& log) {
  if (session.outcome() == v1::SYNC_OUTCOME_RUNNING) return;
  const bool good = session.outcome() == v1::SYNC_OUTCOME_SUCCEEDED;
  const std::string reason = session.errors().empty() ? "" : session.errors(0).reason();
  const std::string message = session.errors().empty() ? "" : session.errors(0).message();
  const std::string outcome = v1::SyncOutcome_Name(session.outcome());
  if (good) {
    log.Info("sync_finished", {{"upstream", session.peer()},
                               {"session", session.session_id()},
                               {"from_seq", session.from_seq()},
                               {"to_seq", session.to_seq()},
                               {"fetched_bytes", session.counts().file_bytes()},
                               {"summary", session.summary()}});
  } else {
    log.Warn("sync_failed", {{"upstream", session.peer()},
                             {"session", session.session_id()},
                             {"outcome", outcome},
                             {"items_failed", session.items_failed()},
                             {"reason", reason},
                             {"message", message}});
  }
}

}  // namespace

SyncDriver::SyncDriver(SyncEngineOptions engine, UpstreamCallOptions calls, Catalog& catalog,
                       ContentStore& content, std::vector<UpstreamPlace> upstreams, Clock& clock,
                       Log& log, Hooks hooks)
    : clock_(clock),
      log_(log),
      hooks_(std::move(hooks)),
      catalog_(catalog),
      content_(content),
      load_pool_(kLoadThreads),
      engine_(WithPool(std::move(engine), load_pool_), catalog, PresenceIn(content), random_) {
  UpstreamFollower::Options options;
  options.calls = calls;
  options.choice.watch = engine_.watches();
  options.choice.probe_interval = calls.probe_interval;
  options.hello = [this] { return MakeHello(); };
  options.post = [this](EngineEvent event) { Post(std::move(event)); };
  options.on_probe = [this](ProbeAnswered answer) { Enqueue(std::move(answer)); };
  follower_ = std::make_unique<UpstreamFollower>(std::move(upstreams), std::move(options), content,
                                                 catalog.node_id(), random_);
}

SyncDriver::~SyncDriver() { Stop(); }

void SyncDriver::Start() {
  // What the engine commits it knows; what others do, it is told.
  catalog_watch_ = catalog_.Watch([this](const CommitOutcome& outcome) {
    if (outcome.changed.empty() || std::this_thread::get_id() == engine_thread_) return;
    Post(RecordsChanged{outcome.changed});
  });
  thread_ = std::thread([this] { Run(); });
}

void SyncDriver::Stop() {
  if (catalog_watch_ != 0) catalog_.Unwatch(std::exchange(catalog_watch_, 0));
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  posted_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  follower_->Stop();
}

void SyncDriver::Post(EngineEvent event) { Enqueue(std::move(event)); }

void SyncDriver::SetUpstreams(std::vector<UpstreamPlace> upstreams) {
  Enqueue(std::move(upstreams));
}

void SyncDriver::Enqueue(Event event) {
  {
    MutexLock lock(mutex_);
    queue_.push_back(std::move(event));
  }
  posted_.NotifyAll();
}

// The next event, or the timer's; none at the end.
std::optional<SyncDriver::Event> SyncDriver::Next() {
  MutexLock lock(mutex_);
  while (true) {
    if (stopping_) return std::nullopt;
    if (!queue_.empty()) {
      Event event = std::move(queue_.front());
      queue_.pop_front();
      return event;
    }
    const absl::Time now = clock_.Now();
    if (timer_ <= now) {
      timer_ = absl::InfiniteFuture();
      return EngineEvent(TimerFired{});
    }
    if (follower_due_ <= now) {
      follower_due_ = absl::InfiniteFuture();
      return FollowerDue{};
    }
    const absl::Time due = std::min(timer_, follower_due_);
    if (due == absl::InfiniteFuture()) {
      posted_.Wait(mutex_);
    } else {
      posted_.WaitFor(mutex_, due - now);
    }
  }
}

void SyncDriver::Run() {
  engine_thread_ = std::this_thread::get_id();
  Handle(Started{});
  while (std::optional<Event> event = Next()) {
    std::optional<EngineEvent> told = Translate(*std::move(event));
    if (told.has_value()) Handle(*std::move(told));
    MutexLock lock(mutex_);
    follower_due_ = follower_->next_due();
  }
}

// What the engine is to hear of it, if anything.
std::optional<EngineEvent> SyncDriver::Translate(Event event) {
  const absl::Time now = clock_.Now();
  std::optional<UpstreamSwitched> switched;
  if (EngineEvent* const own = std::get_if<EngineEvent>(&event)) return std::move(*own);
  if (auto* const places = std::get_if<std::vector<UpstreamPlace>>(&event)) {
    switched = follower_->Replace(std::move(*places), now);
  } else if (const auto* const answer = std::get_if<ProbeAnswered>(&event)) {
    switched = follower_->On(*answer, now);
  } else {
    switched = follower_->Tick(now);
  }
  if (!switched.has_value()) return std::nullopt;
  return EngineEvent(*std::move(switched));
}

void SyncDriver::Handle(EngineEvent event) {
  const ChangesReceived* const received = std::get_if<ChangesReceived>(&event);
  const CallNumber changes = received == nullptr ? 0 : received->call;
  const LoadReceived* const loaded = std::get_if<LoadReceived>(&event);
  const CallNumber load = loaded == nullptr ? 0 : loaded->call;
  if (const auto* const answered = std::get_if<ReportAnswered>(&event);
      answered != nullptr && answered->status.ok() && hooks_.on_report_answer) {
    hooks_.on_report_answer(answered->response);
  }
  if (const auto* const switched = std::get_if<UpstreamSwitched>(&event)) {
    log_.Warn("upstream_switched", {{"upstream", switched->peer}, {"why", switched->why}});
  }
  const bool moved = std::holds_alternative<UpstreamSwitched>(event);
  // The next message is on its way while this one is taken in; no more than that one.
  if (changes != 0) follower_->calls().ReadMoreChanges(changes);
  const std::vector<EngineAction> actions = engine_.Handle(std::move(event), clock_.Now());
  for (const EngineAction& action : actions) Do(action);
  // After a session with the one before has ended.
  if (moved && hooks_.on_switched) hooks_.on_switched();
  std::optional<UpstreamSwitched> switched;
  for (const EngineAction& action : actions) {
    const auto* const session = std::get_if<SessionChanged>(&action);
    if (session == nullptr || switched.has_value()) continue;
    switched = follower_->Saw(session->session, clock_.Now());
  }
  follower_->SawStream(engine_.watching(), engine_.session_running(), clock_.Now());
  if (load != 0) follower_->calls().ReadMoreLoad(load);
  {
    MutexLock lock(mutex_);
    snapshot_.running = engine_.session_running();
    snapshot_.watching = engine_.watching();
    snapshot_.waiting_for_upstream = engine_.waiting_for_upstream();
    snapshot_.next_sync = engine_.next_sync();
    snapshot_.next_trigger = engine_.next_trigger();
  }
  const bool to_tell = std::any_of(actions.begin(), actions.end(), [](const EngineAction& action) {
    return std::holds_alternative<SessionChanged>(action) ||
           std::holds_alternative<ContentChanged>(action);
  });
  if (to_tell) {
    MutexLock lock(watch_mutex_);
    for (const auto& [handle, changed] : watches_) changed();
  }
  if (switched.has_value()) Handle(*std::move(switched));
}

void SyncDriver::Do(const EngineAction& action) {
  std::visit(
      [this](const auto& wanted) {
        using Action = std::decay_t<decltype(wanted)>;
        if constexpr (std::is_same_v<Action, SetTimer>) {
          MutexLock lock(mutex_);
          timer_ = wanted.at;
        } else if constexpr (std::is_same_v<Action, SessionChanged>) {
          LogSession(wanted.session, log_);
          if (hooks_.on_ended && wanted.session.outcome() != v1::SYNC_OUTCOME_RUNNING) {
            hooks_.on_ended(wanted.session);
          }
          MutexLock lock(mutex_);
          snapshot_.session = wanted.session;
          snapshot_.phase_total = wanted.phase_total;
          snapshot_.phase_done = wanted.phase_done;
        } else if constexpr (std::is_same_v<Action, ContentChanged>) {
          const absl::StatusOr<Digest> digest = Digest::FromBytes(wanted.answer.digest());
          if (!digest.ok()) return;
          MutexLock lock(mutex_);
          if (answers_.size() > kAnswersMax) answers_.clear();
          answers_[*digest] = wanted.answer;
        } else if constexpr (std::is_same_v<Action, ReleaseFiles>) {
          Release();
        } else {
          if constexpr (std::is_same_v<Action, CallReport>) {
            MutexLock lock(mutex_);
            reported_ = wanted.request.nodes(0);
          }
          follower_->calls().Do(wanted);
        }
      },
      action);
}

void SyncDriver::Release() {
  absl::StatusOr<Released> released = ReleaseNoted(catalog_, content_);
  if (!released.ok()) {
    log_.Warn("files_not_released", {{"message", released.status().message()}});
    return Post(FilesReleased{});
  }
  if (released->files > 0) {
    log_.Info("files_released", {{"files", released->files}, {"bytes", released->bytes}});
  }
  Post(FilesReleased{std::move(released->freed)});
}

bool SyncDriver::waiting_for_upstream() const {
  MutexLock lock(mutex_);
  return snapshot_.waiting_for_upstream;
}

SyncSnapshot SyncDriver::Snapshot() const {
  MutexLock lock(mutex_);
  return snapshot_;
}

absl::StatusOr<v1::HelloRequest> SyncDriver::MakeHello() const { return engine_.MakeHello(); }

absl::StatusOr<v1::NodeStatus> SyncDriver::Status() const {
  v1::NodeStatus status;
  {
    MutexLock lock(mutex_);
    status = reported_;
  }
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  status.set_node_id(state.node_id());
  status.set_name(engine_.node().name);
  status.set_mode(engine_.node().mode);
  status.set_release(engine_.node().release);
  *status.mutable_epoch() = state.epoch();
  status.set_head_seq(state.head_seq());
  return status;
}

int64_t SyncDriver::Watch(std::function<void()> changed) {
  MutexLock lock(watch_mutex_);
  const int64_t handle = next_watch_++;
  watches_.emplace(handle, std::move(changed));
  return handle;
}

void SyncDriver::Unwatch(int64_t handle) {
  MutexLock lock(watch_mutex_);
  watches_.erase(handle);
}

std::optional<v1::ContentAnswer> SyncDriver::ContentAnswerFor(const Digest& digest) const {
  MutexLock lock(mutex_);
  const auto found = answers_.find(digest);
  if (found == answers_.end()) return std::nullopt;
  return found->second;
}

}  // namespace sluice
