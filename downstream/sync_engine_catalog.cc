// The sync engine's way through the catalog: hello, then comparing or not, then the tail.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/sync_engine.h"
#include "downstream/upstream_check.h"
#include "storage/root_cursor.h"

namespace sluice {
namespace {

constexpr int kProtocol = 1;
// A history can change again while it is being followed; not for ever in one session.
constexpr int kGreetingsMax = 3;

bool SameHistory(const v1::Cursor& cursor, const v1::HelloResponse& hello) {
  return cursor.upstream_id() == hello.node_id() &&
         cursor.epoch().epoch_id() == hello.epoch().epoch_id();
}

// Whether the node keeps updates that its upstream's history lacks.
absl::StatusOr<bool> KeepsUpdates(const CatalogReader& reader, const Uuid& node_id) {
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  return std::any_of(shards.begin(), shards.end(), [&](const ShardInfo& shard) {
    return shard.definition.kept_by() == node_id.view() && shard.fingerprint.count() > 0 &&
           shard.definition.stream() == v1::STREAM_KIND_CATALOG && !shard.definition.always();
  });
}

}  // namespace

absl::Status SyncEngine::Expand() {
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(own_subscription_, ReadSubscription(reader));
  ASSIGN_OR_RETURN(pins_, PicksOf(own_subscription_));
  ASSIGN_OR_RETURN(subscription_, ReadSubscriptionInForce(reader));
  ASSIGN_OR_RETURN(picks_, PicksOf(subscription_));
  ASSIGN_OR_RETURN(offered_,
                   Selection::Expand(reader, subscription_, catalog_.mode(), catalog_.node_id()));
  ASSIGN_OR_RETURN(Selection selection, Selection::Expand(reader, subscription_, catalog_.mode()));
  const bool changed =
      selection_.has_value() && selection_->shards_hash() != selection.shards_hash();
  selection_ = std::move(selection);
  if (changed) return wants_.RecomputeAll(*selection_, now_);
  return absl::OkStatus();
}

absl::StatusOr<v1::HelloRequest> SyncEngine::MakeHello() const {
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  v1::HelloRequest request;
  request.set_node_id(catalog_.node_id().bytes());
  request.set_node_name(options_.node.name);
  request.set_protocol_min(kProtocol);
  request.set_protocol_max(kProtocol);
  request.set_mode(options_.node.mode);
  if (const absl::StatusOr<Uuid> upstream = Uuid::FromBytes(above.node_id()); upstream.ok()) {
    ASSIGN_OR_RETURN(const std::optional<v1::Cursor> cursor, reader.GetCursor(*upstream));
    if (cursor.has_value()) *request.mutable_cursor() = *cursor;
  }
  ASSIGN_OR_RETURN(*request.mutable_subscription(), ReadSubscriptionInForce(reader));
  // All that is here came from above, but for what this node keeps itself.
  ASSIGN_OR_RETURN(const Selection everything, Selection::Expand(reader, {}, catalog_.mode()));
  ASSIGN_OR_RETURN(const Fingerprint fingerprint, sums_.Of(reader, everything, catalog_.node_id()));
  *request.mutable_fingerprint() = fingerprint.ToProto();
  ASSIGN_OR_RETURN(const int levels, LevelsBelow(reader));
  request.set_levels_below(static_cast<uint32_t>(levels));
  return request;
}

void SyncEngine::On(const HelloAnswered& event) {
  if (event.call != hello_call_ || state_ != State::kHello) return;
  if (!event.response.ok()) return Fail(Annotate(event.response.status(), "greeting the upstream"));
  AcceptHello(*event.response);
}

void SyncEngine::AcceptHello(const v1::HelloResponse& hello) {
  if (const absl::Status fit = CheckUpstream(hello, catalog_.node_id()); !fit.ok()) {
    return Fail(fit);
  }
  const absl::StatusOr<Uuid> upstream = Uuid::FromBytes(hello.node_id());
  const CatalogReader reader = catalog_.Read();
  const absl::StatusOr<v1::HelloResponse> before = ReadUpstreamHello(reader);
  const absl::StatusOr<std::optional<v1::Cursor>> cursor = reader.GetCursor(*upstream);
  if (!Check(before.status()) || !Check(cursor.status())) return;

  v1::Session& session = sessions_.session();
  session.set_peer_id(upstream->ToString());
  if (!before->node_id().empty() && before->node_id() != hello.node_id()) {
    session.mutable_summary()->append("another node answers as upstream than before; ");
  }
  // What is remembered of the upstream must not change with every greeting.
  v1::HelloResponse remembered = hello;
  remembered.clear_head_seq();
  remembered.clear_server_time();
  remembered.clear_verdict();
  remembered.clear_verdict_reason();
  remembered.clear_selection_hash();
  if (remembered.SerializeAsString() != before->SerializeAsString()) {
    CatalogChange change;
    change.PutRow(Family::kSettings, kUpstreamHelloSetting, remembered);
    if (!Check(catalog_.Commit(change).status())) return;
  }
  cursor_ = cursor->value_or(v1::Cursor());
  // Introduced with the cursor in another node's log; there is one in this node's.
  const bool introduced_anew = before->node_id() != hello.node_id() && SameHistory(cursor_, hello);
  if (introduced_anew && greetings_ < kGreetingsMax) return Greet();
  const bool same_history = SameHistory(cursor_, hello);
  session.set_from_seq(same_history ? cursor_.seq() : 0);
  session.set_to_seq(session.from_seq());
  if (MustApproach(hello)) return Approach(hello);
  if (hello.verdict() == v1::HELLO_VERDICT_RECONCILE) {
    absl::StrAppend(session.mutable_summary(), "compared because of ", hello.verdict_reason(),
                    "; ");
    // A cursor ahead of the head is of a history that was lost, whatever its epoch says.
    const bool lost = hello.verdict_reason() == ReasonName(v1::REASON_SEQ_AHEAD);
    return BeginReconcile(same_history && !lost);
  }
  if (!same_history) {
    // Nothing is here yet: begin at the beginning.
    cursor_.set_upstream_id(hello.node_id());
    *cursor_.mutable_epoch() = hello.epoch();
    cursor_.set_seq(0);
  }
  cursor_.set_selection_hash(hello.selection_hash());
  session.set_method(hello.verdict() == v1::HELLO_VERDICT_UP_TO_DATE ? v1::SYNC_METHOD_NONE
                                                                     : v1::SYNC_METHOD_TAIL);
  if (same_history && AdjustPicks()) return;
  if (hello.verdict() == v1::HELLO_VERDICT_UP_TO_DATE && !options_.watch) {
    state_ = State::kIdle;
    NoteInStep({});
    return CatalogDone();
  }
  if (cursor_.seq() == 0 && hello.head_seq() > 0 && BeginLoad()) return;
  BeginTail();
}

// ---- Comparing.

void SyncEngine::BeginReconcile(bool same_history, bool mistrusted) {
  compared_ = true;
  sessions_.session().set_method(v1::SYNC_METHOD_RECONCILE);
  if (!Check(Expand()) || !Check(TakePicks()) || !Check(MistrustCursor(same_history))) return;
  Enter(v1::SYNC_PHASE_CATALOG);
  applier_.BeginStream();
  applier_.KeepDecisions(!same_history || mistrusted ? RecordApplier::Keeping::kAll
                                                     : RecordApplier::Keeping::kNone);
  reconciler_ = std::make_unique<Reconciler>(catalog_, applier_, *selection_, same_history);
  const absl::StatusOr<bool> wish = guard_.SubscriptionChanged(own_subscription_);
  if (!Check(wish.status())) return;
  if (!*wish) reconciler_->GuardUnwanted();
  state_ = State::kReconcile;
  reconcile_call_ = NextCall();
  v1::ReconcileRequest open;
  open.mutable_open()->set_node_id(catalog_.node_id().bytes());
  *open.mutable_open()->mutable_subscription() = subscription_;
  open.mutable_open()->set_mode(options_.node.mode);
  Do(OpenReconcile{reconcile_call_, std::move(open)});
}

// Until a comparison is through, what is here is not what the cursor says, and one that is cut off
// must be begun again, with a history that is as strange as it was.
absl::Status SyncEngine::MistrustCursor(bool same_history) {
  CatalogChange change;
  if (!same_history) change.DeleteRow(Family::kSettings, kRootCursorSetting);
  if (!cursor_.upstream_id().empty()) {
    v1::Cursor mistrusted = cursor_;
    mistrusted.clear_selection_hash();
    if (!same_history) mistrusted.clear_epoch();
    change.SetCursor(mistrusted);
  }
  return change.empty() ? absl::OkStatus() : catalog_.Commit(change).status();
}

void SyncEngine::On(const ReconcileReceived& event) {
  if (event.call != reconcile_call_ || state_ != State::kReconcile) return;
  TakeReconcileStep(reconciler_->OnResponse(event.response));
}

void SyncEngine::On(const ReconcileEnded& event) {
  if (event.call != reconcile_call_ || state_ != State::kReconcile) return;
  reconcile_call_ = 0;
  const absl::Status status =
      event.status.ok() ? absl::UnavailableError("the upstream ended it early") : event.status;
  Fail(Annotate(status, "comparing with the upstream"));
}

void SyncEngine::On(const RecordsAnswered& event) {
  if (event.call != records_call_) return;
  records_call_ = 0;
  if (state_ == State::kPicks) return OnPicksAnswered(event);
  if (state_ != State::kReconcile) return;
  if (!event.response.ok()) return Fail(Annotate(event.response.status(), "reading records"));
  TakeReconcileStep(reconciler_->OnRecords(*event.response, now_));
}

void SyncEngine::TakeReconcileStep(absl::StatusOr<Reconciler::Step> step) {
  if (!Check(step.status())) return;
  switch (step->kind) {
    case Reconciler::Step::Kind::kWait:
      return;
    case Reconciler::Step::Kind::kAsk:
      return Do(SendReconcile{reconcile_call_, std::move(step->request)});
    case Reconciler::Step::Kind::kGetRecords:
      records_call_ = NextCall();
      step->records.set_mode(options_.node.mode);
      return Do(CallGetRecords{records_call_, std::move(step->records)});
    case Reconciler::Step::Kind::kDone:
      return FinishReconcile();
  }
}

void SyncEngine::FinishReconcile() {
  Do(CloseReconcile{std::exchange(reconcile_call_, 0)});
  if (!RemoveLeftovers()) return;
  const absl::StatusOr<v1::HelloResponse> above = ReadUpstreamHello(catalog_.Read());
  if (!Check(above.status())) return;
  cursor_.set_upstream_id(above->node_id());
  *cursor_.mutable_epoch() = reconciler_->epoch();
  cursor_.set_seq(reconciler_->at_seq());
  compared_seq_ = reconciler_->at_seq();
  cursor_.set_selection_hash(reconciler_->selection_hash());
  CatalogChange change;
  change.SetCursor(cursor_);
  PutPicks(change);
  absl::StrAppend(sessions_.session().mutable_summary(), reconciler_->shards_compared(),
                  " shards compared, ", reconciler_->shards_differing(), " differed; ");
  if (!Check(guard_.Settle(own_subscription_, change))) return;
  if (!Check(applier_.Commit(std::move(change)))) return;
  reconciler_.reset();
  // Categories may have come; and what left or came decides which files are wanted.
  if (!Check(Expand()) || !Check(wants_.RecomputeAll(*selection_, now_))) return;
  BeginTail();
}

// ---- The tail.

void SyncEngine::BeginTail() {
  const absl::StatusOr<bool> keeps = KeepsUpdates(catalog_.Read(), catalog_.node_id());
  if (!Check(keeps.status())) return;
  // What is kept may be imported again above. The tail would send all of it once more; comparing
  // moves only what differs.
  marks_only_ = *keeps;
  Enter(v1::SYNC_PHASE_CATALOG);
  applier_.BeginStream();
  applier_.KeepDecisions(InStep() ? RecordApplier::Keeping::kUnlessBegunAnew
                                  : RecordApplier::Keeping::kAll);
  state_ = State::kTail;
  changes_call_ = NextCall();
  v1::ChangesRequest request;
  request.set_node_id(catalog_.node_id().bytes());
  *request.mutable_cursor() = cursor_;
  *request.mutable_subscription() = subscription_;
  request.set_watch(options_.watch);
  request.set_marks_only(marks_only_);
  request.set_mode(options_.node.mode);
  Do(OpenChanges{changes_call_, std::move(request)});
}

void SyncEngine::On(const ChangesReceived& event) {
  if (event.call != changes_call_) return;
  if (state_ != State::kTail && state_ != State::kWatching) return;
  switch (event.response.event_case()) {
    case v1::ChangesResponse::kBatch:
      return OnBatch(event.response.batch());
    case v1::ChangesResponse::kMark:
      return OnMark(event.response.mark());
    case v1::ChangesResponse::kSelectionChanged:
      return OnSelectionChanged(event.response.selection_changed());
    case v1::ChangesResponse::kReportWanted:
      report_due_ = true;
      report_not_before_ = now_;
      return;
    case v1::ChangesResponse::EVENT_NOT_SET:
      return;
  }
}

void SyncEngine::OnBatch(const v1::ChangeBatch& batch) {
  if (!BeginOutOfWatch()) return;
  // The records come first; the session's row goes with them.
  if (state_ == State::kWatching) {
    sessions_.session().set_phase(v1::SYNC_PHASE_CATALOG);
    LetChangesPass();
  }
  state_ = State::kTail;
  catalog_done_ = false;
  CatalogChange change;
  const absl::StatusOr<bool> looks_first = LooksFirst(batch, change);
  if (!Check(looks_first.status()) || *looks_first) return;
  Check(applier_.Apply(batch, now_, cursor_, std::move(change)));
}

// Something came over the open watch: that is a session of its own, unless one runs.
bool SyncEngine::BeginOutOfWatch() {
  if (sessions_.running()) return true;
  sessions_.BeginWithCommit(v1::SYNC_TRIGGER_WATCH, now_, random_);
  v1::Session& session = sessions_.session();
  session.set_peer_id(Uuid::FromBytes(cursor_.upstream_id()).value_or(Uuid()).ToString());
  session.set_method(v1::SYNC_METHOD_TAIL);
  session.set_from_seq(cursor_.seq());
  session.set_to_seq(cursor_.seq());
  compared_ = false;
  greetings_ = 0;
  pick_rounds_ = 0;
  return true;
}

// Everything of the upstream up to the mark is here. `verified`: and nothing else, so that the root
// is followed as far as the upstream had.
bool SyncEngine::MoveTo(const v1::Mark& mark, bool verified) {
  CatalogChange change;
  if (mark.seq() > cursor_.seq()) {
    cursor_.set_seq(mark.seq());
    change.SetCursor(cursor_);
    sessions_.session().set_to_seq(mark.seq());
  }
  if (verified && mark.has_root_cursor()) {
    const auto known = ReadRootCursor(catalog_.Read());
    if (!Check(known.status())) return false;
    if (known->value_or(v1::Cursor()).SerializeAsString() !=
        mark.root_cursor().SerializeAsString()) {
      change.PutRow(Family::kSettings, kRootCursorSetting, mark.root_cursor());
    }
  }
  if (change.empty()) return true;
  report_due_ = true;
  const bool ends = verified && state_ == State::kTail && sessions_.running() && wants_.settled();
  if (ends) {
    // All that this Handle still does to the catalog: one commit instead of two.
    at_end_ = std::move(change);
    return true;
  }
  return Check(catalog_.Commit(change).status());
}

void SyncEngine::OnMark(const v1::Mark& mark) {
  // One that only says that the upstream has followed the root further.
  const bool known = state_ == State::kWatching && !approaching_ && mark.seq() == cursor_.seq() &&
                     mark.fingerprint().SerializeAsString() == verified_;
  if (known) {
    NoteInStep(mark);
    MoveTo(mark, /*verified=*/true);
    return;
  }
  // Marks alone say how far the upstream is, not what is here.
  if (!mark.has_fingerprint()) {
    if (!marks_only_ && !approaching_) MoveTo(mark, /*verified=*/false);
    return;
  }
  const CatalogReader reader = catalog_.Read();
  const absl::StatusOr<Selection> everything = Selection::Expand(reader, {}, catalog_.mode());
  if (!Check(everything.status())) return;
  const absl::StatusOr<Fingerprint> ours = sums_.Of(reader, *everything, catalog_.node_id());
  const absl::StatusOr<Fingerprint> theirs = Fingerprint::FromProto(mark.fingerprint());
  if (!Check(ours.status()) || !Check(theirs.status())) return;
  if (state_ == State::kTail && sessions_.running()) {
    sessions_.session().set_phase(v1::SYNC_PHASE_VERIFY);
    Announce();
  }
  if (approaching_) return OnMarkWhileApproaching(mark, *ours == *theirs);
  if (*ours == *theirs) {
    NoteInStep(mark);
    CatalogChange settled;
    if (!Check(applier_.ForgetMissing()) || !Check(guard_.Settle(own_subscription_, settled)))
      return;
    if (!settled.empty() && !Check(catalog_.Commit(settled).status())) return;
  } else {
    // What came since then may mean what was compared: a record that is older than its tombstone
    // here has no effect on the tail.
    if (!compared_ || mark.seq() > compared_seq_) {
      if (!marks_only_ && !MoveTo(mark, /*verified=*/false)) return;
      catalog_done_ = false;
      Do(CloseChanges{std::exchange(changes_call_, 0)});
      if (!BeginOutOfWatch()) return;
      absl::StrAppend(sessions_.session().mutable_summary(),
                      "compared because fingerprints differed; ");
      return BeginReconcile(InStep(), /*mistrusted=*/true);
    }
    NoteSelectionDiffers();
  }
  verified_ = *ours == *theirs ? mark.fingerprint().SerializeAsString() : "";
  if (!MoveTo(mark, !verified_.empty())) return;
  if (AdjustPicks()) return;
  if (state_ != State::kTail) return;
  state_ = options_.watch ? State::kWatching : State::kIdle;
  CatalogDone();
}

// After comparing. Where something came that this release cannot read, that is why.
void SyncEngine::NoteSelectionDiffers() {
  const auto& items = sessions_.session().items();
  const bool hidden = std::any_of(items.begin(), items.end(), [](const v1::SyncItem& item) {
    return item.status().reason() == ReasonName(v1::REASON_ITEM_TOO_NEW);
  });
  if (hidden) return;
  sessions_.AddItem("the selection",
                    MakeError(v1::REASON_ITEM_CORRUPT,
                              "its fingerprint differs from the upstream's after comparing"));
}

void SyncEngine::OnSelectionChanged(const v1::SelectionChanged& changed) {
  if (changed.added_shard_ids().empty() && changed.removed_shard_ids().empty()) {
    // Only products without records came or went.
    cursor_.set_selection_hash(changed.selection_hash());
    CatalogChange change;
    change.SetCursor(cursor_);
    Check(catalog_.Commit(change).status());
    return;
  }
  Do(CloseChanges{std::exchange(changes_call_, 0)});
  if (!BeginOutOfWatch()) return;
  catalog_done_ = false;
  if (approaching_) return Greet();
  absl::StrAppend(sessions_.session().mutable_summary(),
                  "compared because the selection changed; ");
  BeginReconcile(true);
}

void SyncEngine::On(const ChangesEnded& event) {
  if (event.call != changes_call_) return;
  changes_call_ = 0;
  const v1::Reason reason = ReasonOf(event.status);
  const bool compare = reason == v1::REASON_EPOCH_CHANGED ||
                       reason == v1::REASON_SELECTION_CHANGED || reason == v1::REASON_SEQ_AHEAD;
  if (compare && state_ == State::kTail && greetings_ < kGreetingsMax) return Greet();
  if (state_ == State::kTail) {
    const absl::Status status =
        event.status.ok() ? absl::UnavailableError("the stream ended early") : event.status;
    return Fail(Annotate(status, "following the upstream's changes"));
  }
  if (state_ != State::kWatching) return;
  state_ = State::kIdle;
  StoreInStep().IgnoreError();  // The next session tries again.
  // The watch broke: reconnect, and go on from the cursor.
  const absl::Status status = event.status.ok() ? absl::UnavailableError("ended") : event.status;
  if (!sessions_.running()) PlanNext(status);
}

void SyncEngine::CloseCalls() {
  if (changes_call_ != 0) Do(CloseChanges{std::exchange(changes_call_, 0)});
  if (load_call_ != 0) Do(CloseLoad{std::exchange(load_call_, 0)});
  load_.reset();
  if (reconcile_call_ != 0) Do(CloseReconcile{std::exchange(reconcile_call_, 0)});
  hello_call_ = 0;
  records_call_ = 0;
  approaching_ = false;
  reconciler_.reset();
  pick_fetch_.reset();
}

}  // namespace sluice
