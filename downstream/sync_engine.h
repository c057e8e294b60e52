// Sync engine: follows the node above, as a state machine: events in, actions out.
//
// "Tail for speed, reconcile for truth": it goes on from its cursor in the upstream's change log,
// and when that cannot be trusted (another history, another selection, fingerprints that differ) it
// compares and moves only the difference. It holds no thread, no socket and no clock; it reads and
// commits through the catalog that it is given. So the simulator runs this very code.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/schedule.h"
#include "common/worker_pool.h"
#include "downstream/engine_events.h"
#include "downstream/initial_load.h"
#include "downstream/lease_report.h"
#include "downstream/node_report.h"
#include "downstream/pick_fetch.h"
#include "downstream/reconciler.h"
#include "downstream/record_applier.h"
#include "downstream/removal_guard.h"
#include "downstream/report_memory.h"
#include "storage/acknowledgement_outbox.h"
#include "storage/catalog.h"
#include "storage/closure.h"
#include "storage/content_wants.h"
#include "storage/selection.h"
#include "storage/selection_sums.h"
#include "storage/session_log.h"

namespace sluice {

// Where it is kept with which upstream a node was in step last, a v1::NodeStatus: `upstream_id`,
// and in `cursor` how far that one had followed the root. Family::kSettings.
inline constexpr absl::string_view kInStepSetting = "in_step";

struct SyncEngineOptions {
  NodeFacts node;
  std::string peer;  // The upstream's target, for sessions.
  SyncScheduleOptions schedule;
  bool watch = true;
  int parallel_transfers = 4;
  // The guard's share; 100: nothing is held.
  int guard_percent = 100;
  // Where records of an initial load are checked; none: in the engine.
  WorkerPool* load_pool = nullptr;
};

class SyncEngine {
 public:
  // `present`: whether the content store holds a file of that size. All references must outlive the
  // engine.
  SyncEngine(SyncEngineOptions options, Catalog& catalog,
             std::function<bool(const ContentInfo&)> present, absl::BitGenRef random);

  // Takes one event and returns what is to be done, in order.
  std::vector<EngineAction> Handle(EngineEvent event, absl::Time now);

  // Introduces this node: what `Hello` says.
  absl::StatusOr<v1::HelloRequest> MakeHello() const;

  const NodeFacts& node() const { return options_.node; }
  bool watching() const { return state_ == State::kWatching; }
  // Whom it agreed with last, and how far that one had followed the root then.
  const v1::NodeStatus& in_step() const { return in_step_; }
  // Whether it keeps change streams open.
  bool watches() const { return options_.watch; }
  // The upstream has not come up to what this node knows from another one; nothing is taken yet.
  bool waiting_for_upstream() const { return approaching_; }
  bool session_running() const { return sessions_.running(); }
  absl::Time next_sync() const { return next_sync_; }
  v1::SyncTrigger next_trigger() const { return next_trigger_; }
  const ContentWants& wants() const { return wants_; }

 private:
  // What the engine waits for from the upstream's catalog. Content and reports go on beside it.
  enum class State { kIdle, kHello, kLoad, kReconcile, kPicks, kTail, kWatching };

  void On(const Started& event);
  void On(const TimerFired& event);
  void On(const SyncRequested& event);
  void On(const SyncCancelled& event);
  void On(const HelloAnswered& event);
  void On(const ChangesReceived& event);
  void On(const ChangesEnded& event);
  void On(LoadReceived& event);
  void On(const LoadEnded& event);
  void On(const ReconcileReceived& event);
  void On(const ReconcileEnded& event);
  void On(const RecordsAnswered& event);
  void On(const FileFetched& event);
  void On(const ContentAnswered& event);
  void On(const ContentWanted& event);
  void On(const ContentLost& event);
  void On(const FilesReleased& event);
  void On(const ReportAnswered& event);
  void On(const ReportDue& event);
  void On(const UpstreamSwitched& event);
  void On(const RecordsRemoved& event);
  void On(const RecordsChanged& event);

  // Sessions.
  void Begin(v1::SyncTrigger trigger);
  void Greet();
  void Fail(const absl::Status& status);
  void CatalogDone();
  void EndIfSettled();
  void PlanNext(const absl::Status& outcome);
  void Enter(v1::SyncPhase phase);
  void Announce();

  // The catalog's way: sync_engine_catalog.cc.
  void AcceptHello(const v1::HelloResponse& hello);
  // `same_history`: what the upstream lacks has left the selection; else it is only missing there.
  // `mistrusted`: nothing that happened explains why the two differ.
  void BeginReconcile(bool same_history, bool mistrusted = false);
  absl::Status MistrustCursor(bool same_history);
  bool BeginOutOfWatch();
  void BeginTail();
  void TakeReconcileStep(absl::StatusOr<Reconciler::Step> step);
  void FinishReconcile();
  void OnBatch(const v1::ChangeBatch& batch);
  bool MoveTo(const v1::Mark& mark, bool verified);
  void OnMark(const v1::Mark& mark);
  void NoteSelectionDiffers();
  void OnSelectionChanged(const v1::SelectionChanged& changed);
  void CloseCalls();
  absl::Status Expand();

  // Removals that may be held: sync_engine_guard.cc.
  // Whether a batch of the tail was left to a comparison, which shows all that is to go.
  absl::StatusOr<bool> LooksFirst(const v1::ChangeBatch& batch, CatalogChange& change);
  // Removes what only this node has, after a comparison; false: it is held, or failed, and the
  // session is over.
  bool RemoveLeftovers();
  // An empty node's way: sync_engine_load.cc.
  bool BeginLoad();
  void FinishLoad();
  // A load that is worth no other try: the log is followed from its beginning instead.
  void GiveUpLoad(const absl::Status& why);
  // The way to another upstream: sync_engine_upstream.cc.
  bool MustApproach(const v1::HelloResponse& hello) const;
  // Whether it has agreed with the upstream that it follows since it came to it.
  bool InStep() const;
  void Approach(const v1::HelloResponse& hello);
  void AskForMark();
  void OnMarkWhileApproaching(const v1::Mark& mark, bool equal);
  void NoteInStep(const v1::Mark& mark);
  absl::Status StoreInStep();

  // What is taken one by one, and what that frees: sync_engine_picks.cc.
  absl::Status TakePicks();
  void PutPicks(CatalogChange& change) const;
  bool AdjustPicks();
  void ContinuePicks();
  void OnPicksAnswered(const RecordsAnswered& event);
  void FinishPicks();
  // Whether so many records may leave that are no longer picked.
  absl::StatusOr<bool> MayLeave(int64_t records, CatalogChange& change);
  void PumpFreed();
  absl::Status NoteUnnamed(const Digest& digest);

  // Content and reports.
  void PumpContent();
  // Wants the files after all of which an update came.
  absl::Status WantRefused();
  void PumpAcknowledgements();
  void PumpReport();
  // Puts off what is said up the tree of a change that came by itself: it costs synced writes here
  // and above, while the change is on its way down; and the next one may follow.
  void LetChangesPass();
  // Whether the upstream was told already what there is to say of this node.
  bool KnownAbove() const;
  void RememberContent(const v1::ContentAnswer& answer);
  void SetNextTimer();
  // A failure of this node's own store ends the session; nothing can be done without it.
  bool Check(const absl::Status& status);
  bool CanReport() const;

  CallNumber NextCall() { return ++last_call_; }
  void Do(EngineAction action) { actions_.push_back(std::move(action)); }

  const SyncEngineOptions options_;
  Catalog& catalog_;
  const absl::BitGenRef random_;
  SessionLog sessions_;
  RecordApplier applier_;
  RemovalGuard guard_;
  LeaseReport leases_;
  ReportMemory told_;
  SelectionSums sums_;
  ContentWants wants_;
  std::set<Digest> refused_;   // Files that nodes below asked for, and no update here names.
  uint64_t refused_head_ = 0;  // Of the catalog when that was last looked at.
  AcknowledgementOutbox outbox_;

  State state_ = State::kIdle;
  absl::Time now_;
  std::vector<EngineAction> actions_;
  CallNumber last_call_ = 0;
  CallNumber hello_call_ = 0;
  CallNumber changes_call_ = 0;
  CallNumber load_call_ = 0;
  CallNumber reconcile_call_ = 0;
  CallNumber records_call_ = 0;
  CallNumber request_call_ = 0;
  CallNumber report_call_ = 0;

  std::optional<Selection> selection_;  // What the own subscription comes to here.
  v1::Subscription own_subscription_;   // As of the session's begin, as operators set it.
  v1::Subscription subscription_;       // The same with the picks in force instead of its pins.
  std::vector<Uuid> pins_;
  std::vector<Uuid> picks_;           // In force, sorted.
  std::optional<Selection> offered_;  // What the subscription comes to at the upstream.
  bool categories_changed_ = false;
  Closure closure_;
  std::optional<PickFetch> pick_fetch_;
  int pick_rounds_ = 0;  // In this session.
  v1::Cursor cursor_;
  std::unique_ptr<InitialLoad> load_;
  int loads_broken_ = 0;  // In this process, for whatever reason.
  std::unique_ptr<Reconciler> reconciler_;
  int greetings_ = 0;          // In this session.
  bool compared_ = false;      // This session has compared already.
  uint64_t compared_seq_ = 0;  // The upstream's seq when it was last compared with.
  std::string verified_;       // The last mark's fingerprint, where ours was the same.
  bool marks_only_ = false;    // The open stream carries no records; what is new is compared for.
  CatalogChange at_end_;       // What the end of the session is to take along into its commit.
  // Whom this node agreed with last, and how far that one had followed the root then.
  v1::NodeStatus in_step_;
  bool in_step_stored_ = true;
  absl::Time approaching_since_ = absl::InfiniteFuture();
  bool approaching_ = false;  // Looking at marks until the upstream has caught up with `in_step_`.
  v1::Cursor approach_from_;
  absl::Time approach_again_ = absl::InfiniteFuture();
  std::string approach_why_;
  std::string switched_why_;   // For the next session's summary.
  bool catalog_done_ = false;  // This session has the catalog; content may still be coming.
  std::optional<v1::SyncTrigger> again_;
  int failures_ = 0;  // In a row.
  absl::Time next_sync_ = absl::InfiniteFuture();
  v1::SyncTrigger next_trigger_ = v1::SYNC_TRIGGER_SCHEDULE;
  absl::Time acknowledge_not_before_ = absl::InfinitePast();
  // Files may be noted that no record names; their release is under way.
  bool freed_ = true;
  bool releasing_ = false;
  bool report_due_ = false;
  absl::Time report_not_before_ = absl::InfinitePast();
  absl::Time timer_ = absl::InfiniteFuture();
};

}  // namespace sluice
