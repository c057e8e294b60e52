// Engine bench: a sync engine on a table: its node in memory, the real serving logic above it, and
// a clock that stands still.
//
// The bench answers what the engine asks for, unless a test takes the action into its own hands.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "downstream/sync_engine.h"
#include "storage/memory_ordered_store.h"
#include "tests/storage/test_catalog.h"
#include "upstream/replication_server.h"

namespace sluice {

class EngineBench {
 public:
  // Watching, and never by the clock, unless a test says otherwise.
  static SyncEngineOptions Options();

  explicit EngineBench(SyncEngineOptions options = Options());

  // Begins the process: opens the catalog and tells the engine. `Restart` forgets all that is not
  // stored first.
  void Start();
  void Restart();

  // Tells the engine, answers all that it asks for, until nobody has anything to say.
  void Tell(EngineEvent event);
  // Lets the open change stream say what is new above.
  void Run();
  // For `intercept`: what happens next, once the engine has handled the present event.
  void TakeLater(EngineEvent event) { events_.push_back(std::move(event)); }
  // What the upstream would say.
  absl::StatusOr<v1::HelloResponse> AnswerHello(const v1::HelloRequest& request) {
    return server_->Hello(request);
  }
  // Lets time pass, firing the engine's timer when it is due.
  void Advance(absl::Duration step);

  // Puts a fact into the world: the upstream has the bytes of a file.
  void OfferFile(const std::string& bytes) { upstream_files_.insert(Digest::Of(bytes)); }
  // Lets the upstream serve another store from now on; open streams break.
  void MoveTo(TestCatalog& other);
  // Cuts the open change stream.
  void CutChanges(absl::Status status = absl::UnavailableError("cut"));
  // What an operator changes at this node.
  CommitOutcome CommitHere(const CatalogChange& change);
  // Stores a subscription and tells the engine.
  void Subscribe(const v1::Subscription& subscription);

  // Actions of one kind so far.
  template <typename Action>
  std::vector<Action> All() const {
    std::vector<Action> found;
    for (const EngineAction& action : done_) {
      if (const auto* const one = std::get_if<Action>(&action)) found.push_back(*one);
    }
    return found;
  }
  template <typename Action>
  size_t Count() const {
    return All<Action>().size();
  }
  // Calls to the upstream so far, of whatever kind.
  int64_t calls() const { return calls_; }

  // All sessions in the store, oldest first; and the last of them.
  std::vector<v1::Session> Sessions() const;
  v1::Session LastSession() const;
  v1::Cursor Cursor() const;
  // What the node took from above, and what there is to take.
  Fingerprint Ours() const;
  Fingerprint Theirs() const;
  bool Has(absl::string_view update) const;

  TestCatalog& upstream() { return *upstream_; }
  SyncEngine& engine() { return *engine_; }
  Catalog& catalog() { return *catalog_; }
  MemoryOrderedStore& store() { return store_; }
  absl::Time now() const { return clock_.Now(); }

  // Returns true for an action that the test deals with (or lets go unanswered).
  std::function<bool(const EngineAction&)> intercept = [](const EngineAction&) { return false; };
  // Alters what the upstream says.
  std::function<void(v1::ChangesResponse&)> alter_changes = [](v1::ChangesResponse&) {};
  std::function<void(v1::ReconcileResponse&)> alter_reconcile = [](v1::ReconcileResponse&) {};
  std::function<void(v1::GetRecordsResponse&)> alter_records = [](v1::GetRecordsResponse&) {};

  std::function<void(v1::LoadResponse&)> alter_load = [](v1::LoadResponse&) {};

  std::set<Digest> files;  // Present here.
  // The upstream is of a build that knows loads; else what is asked for one by one is asked for so.
  bool upstream_loads = false;

 private:
  void Take(EngineEvent event);
  void Answer();
  void Carry(const EngineAction& action);
  void Serve(CallNumber call, const v1::ReconcileRequest& request);
  bool PumpChanges();
  bool PumpLoad();

  const SyncEngineOptions options_;
  mutable ManualClock clock_;
  std::mt19937_64 random_{1};
  TestCatalog first_upstream_;
  TestCatalog* upstream_ = &first_upstream_;
  std::unique_ptr<ReplicationServer> server_;
  std::set<Digest> upstream_files_;

  MemoryOrderedStore store_;
  MemoryAnchor anchor_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<SyncEngine> engine_;

  std::deque<EngineAction> pending_;
  std::deque<EngineEvent> events_;
  std::vector<EngineAction> done_;
  std::optional<ChangeFeed> feed_;
  CallNumber feed_call_ = 0;
  std::optional<CatalogLoad> load_;
  CallNumber load_call_ = 0;
  std::optional<ReconcileExchange> exchange_;
  absl::Time timer_ = absl::InfiniteFuture();
  int64_t calls_ = 0;
};

// Products by path.
v1::Subscription SubscriptionTo(const std::vector<std::string>& products);

}  // namespace sluice
