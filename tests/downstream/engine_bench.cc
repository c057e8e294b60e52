#include "tests/downstream/engine_bench.h"

#include <utility>

#include "common/errors.h"
#include "gtest/gtest.h"
#include "storage/decisions.h"
#include "storage/file_release.h"
#include "storage/memory_content_store.h"
#include "storage/selection.h"

namespace sluice {
namespace {

// A few records a pack.
constexpr int64_t kLoadPackBytes = 1000;
constexpr int kRoundsMax = 10'000;
// Ids of sessions sort by time.
constexpr absl::Duration kTick = absl::Milliseconds(2);

}  // namespace

SyncEngineOptions EngineBench::Options() {
  SyncEngineOptions options;
  options.node = {"leaf", v1::NODE_MODE_REPLICA, "test"};
  options.peer = "hq:8531";
  options.schedule.times_a_day = 0;
  options.schedule.time_zone = absl::UTCTimeZone();
  return options;
}

EngineBench::EngineBench(SyncEngineOptions options)
    : options_(std::move(options)), clock_(absl::FromUnixSeconds(1'700'000'000)) {
  EXPECT_TRUE(Catalog::Create(store_, anchor_, Uuid::Random(), clock_, options_.node.mode).ok());
  absl::StatusOr<std::unique_ptr<Catalog>> catalog = Catalog::Open(store_, anchor_);
  EXPECT_TRUE(catalog.ok()) << catalog.status();
  catalog_ = *std::move(catalog);
  MoveTo(first_upstream_);
}

void EngineBench::Start() {
  engine_ = std::make_unique<SyncEngine>(
      options_, *catalog_, [this](const ContentInfo& file) { return files.contains(file.digest); },
      random_);
  Tell(Started{});
}

void EngineBench::Restart() {
  store_.FailWritesFrom(0);
  engine_.reset();
  pending_.clear();
  feed_.reset();
  load_.reset();
  exchange_.reset();
  timer_ = absl::InfiniteFuture();
  absl::StatusOr<std::unique_ptr<Catalog>> catalog = Catalog::Open(store_, anchor_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  catalog_ = *std::move(catalog);
  Start();
}

void EngineBench::Take(EngineEvent event) {
  for (EngineAction& action : engine_->Handle(std::move(event), clock_.Now())) {
    done_.push_back(action);
    pending_.push_back(std::move(action));
  }
}

void EngineBench::Tell(EngineEvent event) {
  clock_.Advance(kTick);
  Take(std::move(event));
  Answer();
}

void EngineBench::Run() {
  clock_.Advance(kTick);
  Answer();
}

void EngineBench::Answer() {
  for (int round = 0; round < kRoundsMax; ++round) {
    if (!pending_.empty()) {
      const EngineAction action = pending_.front();
      pending_.pop_front();
      Carry(action);
    } else if (!events_.empty()) {
      const EngineEvent event = events_.front();
      events_.pop_front();
      Take(event);
    } else if (!PumpLoad() && !PumpChanges()) {
      return;
    }
  }
  FAIL() << "the engine does not come to rest";
}

void EngineBench::Advance(absl::Duration step) {
  const absl::Time end = clock_.Now() + step;
  while (timer_ <= end) {
    clock_.Set(std::max(clock_.Now(), std::exchange(timer_, absl::InfiniteFuture())));
    Tell(TimerFired{});
  }
  clock_.Set(std::max(clock_.Now(), end));
}

void EngineBench::MoveTo(TestCatalog& other) {
  upstream_ = &other;
  server_ = std::make_unique<ReplicationServer>(
      *other, clock_,
      ReplicationServer::Options{.node_name = "hq",
                                 .draw_key =
                                     [this] {
                                       return SipKey{random_(), random_()};
                                     },
                                 .load_pack_bytes = kLoadPackBytes});
  if (feed_.has_value()) CutChanges();
}

void EngineBench::CutChanges(absl::Status status) {
  ASSERT_TRUE(feed_.has_value()) << "no change stream is open";
  feed_.reset();
  Tell(ChangesEnded{feed_call_, std::move(status)});
}

CommitOutcome EngineBench::CommitHere(const CatalogChange& change) {
  const absl::StatusOr<CommitOutcome> outcome = catalog_->Commit(change);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  if (!outcome.ok()) return CommitOutcome();
  if (engine_ != nullptr) Tell(RecordsChanged{outcome->changed});
  return *outcome;
}

void EngineBench::Subscribe(const v1::Subscription& subscription) {
  CatalogChange change;
  change.PutRow(Family::kSettings, kSubscriptionSetting, subscription);
  ASSERT_TRUE(catalog_->Commit(change).ok());
  if (engine_ != nullptr) Tell(SyncRequested{v1::SYNC_TRIGGER_SUBSCRIPTION});
}

void EngineBench::Carry(const EngineAction& action) {
  const bool local =
      std::holds_alternative<SetTimer>(action) || std::holds_alternative<SessionChanged>(action) ||
      std::holds_alternative<ContentChanged>(action) ||
      std::holds_alternative<ReleaseFiles>(action) ||
      std::holds_alternative<CloseChanges>(action) || std::holds_alternative<CloseLoad>(action) ||
      std::holds_alternative<CloseReconcile>(action);
  if (!local) ++calls_;
  if (intercept(action)) return;
  if (const auto* const timer = std::get_if<SetTimer>(&action)) {
    timer_ = timer->at;
  } else if (const auto* const hello = std::get_if<CallHello>(&action)) {
    Take(HelloAnswered{hello->call, server_->Hello(hello->request)});
  } else if (const auto* const open = std::get_if<OpenChanges>(&action)) {
    absl::StatusOr<ChangeFeed> feed = server_->Changes(open->request);
    if (!feed.ok()) return Take(ChangesEnded{open->call, feed.status()});
    feed_ = *std::move(feed);
    feed_call_ = open->call;
  } else if (const auto* const close = std::get_if<CloseChanges>(&action)) {
    if (close->call == feed_call_) feed_.reset();
  } else if (const auto* const open_load = std::get_if<OpenLoad>(&action)) {
    if (!upstream_loads) {
      return Take(LoadEnded{open_load->call, absl::UnimplementedError("no such method")});
    }
    load_ = server_->Load(open_load->request).value();
    load_call_ = open_load->call;
  } else if (const auto* const close_load = std::get_if<CloseLoad>(&action)) {
    if (close_load->call == load_call_) load_.reset();
  } else if (const auto* const compare = std::get_if<OpenReconcile>(&action)) {
    exchange_ = server_->Reconcile();
    Serve(compare->call, compare->request);
  } else if (const auto* const keys = std::get_if<SendReconcile>(&action)) {
    Serve(keys->call, keys->request);
  } else if (const auto* const records = std::get_if<CallGetRecords>(&action)) {
    absl::StatusOr<v1::GetRecordsResponse> response = server_->GetRecords(records->request);
    if (response.ok()) alter_records(*response);
    Take(RecordsAnswered{records->call, std::move(response)});
  } else if (const auto* const fetch = std::get_if<FetchFile>(&action)) {
    const bool there = upstream_files_.contains(fetch->file.digest);
    if (there) files.insert(fetch->file.digest);
    Take(FileFetched{fetch->file.digest,
                     there ? absl::OkStatus() : MakeError(v1::REASON_CONTENT_MISSING, "not yet"),
                     there ? fetch->file.size_bytes : 0});
  } else if (std::holds_alternative<ReleaseFiles>(action)) {
    MemoryContentStore none;  // What is here is in `files`.
    const absl::StatusOr<Released> released = ReleaseNoted(*catalog_, none);
    const std::vector<Digest> freed = released.ok() ? released->freed : std::vector<Digest>();
    for (const Digest& file : freed) files.erase(file);
    Take(FilesReleased{freed});
  } else if (const auto* const report = std::get_if<CallReport>(&action)) {
    Take(ReportAnswered{report->call, server_->Report(report->request).status()});
  }
}

void EngineBench::Serve(CallNumber call, const v1::ReconcileRequest& request) {
  auto responses = exchange_->Handle(request);
  if (!responses.ok()) return Take(ReconcileEnded{call, responses.status()});
  for (v1::ReconcileResponse& response : *responses) {
    alter_reconcile(response);
    Take(ReconcileReceived{call, response});
  }
}

bool EngineBench::PumpLoad() {
  if (!load_.has_value()) return false;
  CatalogLoad::Step step = load_->Next();
  if (step.kind == CatalogLoad::Step::Kind::kEnd) {
    load_.reset();
    Take(LoadEnded{load_call_, step.status});
    return true;
  }
  alter_load(step.message);
  Take(LoadReceived{load_call_, std::move(step.message)});
  return true;
}

bool EngineBench::PumpChanges() {
  if (!feed_.has_value()) return false;
  ChangeFeed::Step step = feed_->Next();
  if (step.kind == ChangeFeed::Step::Kind::kAtHead) return false;
  if (step.kind == ChangeFeed::Step::Kind::kEnd) {
    feed_.reset();
    Take(ChangesEnded{feed_call_, step.status});
    return true;
  }
  alter_changes(step.message);
  Take(ChangesReceived{feed_call_, std::move(step.message)});
  return true;
}

std::vector<v1::Session> EngineBench::Sessions() const {
  const auto rows = catalog_->Read().ListRows<v1::Session>(Family::kSessions, "", "", 1 << 20);
  EXPECT_TRUE(rows.ok()) << rows.status();
  std::vector<v1::Session> sessions;
  if (!rows.ok()) return sessions;
  for (const auto& [key, session] : *rows) sessions.push_back(session);
  return sessions;
}

v1::Session EngineBench::LastSession() const {
  const std::vector<v1::Session> sessions = Sessions();
  EXPECT_FALSE(sessions.empty());
  return sessions.empty() ? v1::Session() : sessions.back();
}

v1::Cursor EngineBench::Cursor() const {
  const auto cursor = catalog_->Read().GetCursor((**upstream_).node_id());
  EXPECT_TRUE(cursor.ok()) << cursor.status();
  return cursor.ok() ? cursor->value_or(v1::Cursor()) : v1::Cursor();
}

Fingerprint EngineBench::Ours() const {
  const CatalogReader reader = catalog_->Read();
  return *SelectionFingerprint(reader, *Selection::Expand(reader, {}, catalog_->mode()),
                               catalog_->node_id());
}

Fingerprint EngineBench::Theirs() const {
  const CatalogReader reader = upstream_->Read();
  const v1::Subscription subscription = *ReadSubscriptionInForce(catalog_->Read());
  return *SelectionFingerprint(reader, *Selection::Expand(reader, subscription, catalog_->mode()),
                               catalog_->node_id());
}

bool EngineBench::Has(absl::string_view update) const {
  return catalog_->Read().CurrentRevision(UpdateIdOf(update)).ok();
}

v1::Subscription SubscriptionTo(const std::vector<std::string>& products) {
  v1::Subscription subscription;
  for (const std::string& product : products) subscription.add_products(product);
  return subscription;
}

}  // namespace sluice
