// The sync engine's way from one upstream to another.
//
// Another upstream may be behind what this node knows already from the one before. Then nothing of
// it is taken, so that nothing is rolled back and nothing looks missing: the node reads marks until
// one is equal, or says that the upstream has followed the root as far as this node had
// (docs/decisions/0013).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/sync_engine.h"

namespace sluice {
namespace {

constexpr absl::Duration kAskAgain = absl::Seconds(30);
// An upstream that is behind for longer may be all that is left: the root itself may have lost what
// this node knows.
constexpr absl::Duration kWaitMax = absl::Hours(1);

// Whether who is at `there` in the root's history has seen less of it than who is at `here`.
// Histories of different roots cannot be compared.
bool IsBehind(const v1::Cursor& there, const v1::Cursor& here) {
  if (there.upstream_id() != here.upstream_id()) return false;
  if (there.epoch().epoch_id() != here.epoch().epoch_id()) {
    return there.epoch().counter() < here.epoch().counter();
  }
  return there.seq() < here.seq();
}

bool IsOfSameHistory(const v1::Cursor& there, const v1::Cursor& here) {
  return there.upstream_id() == here.upstream_id() &&
         there.epoch().epoch_id() == here.epoch().epoch_id();
}

}  // namespace

void SyncEngine::On(const UpstreamSwitched& event) {
  if (sessions_.running()) {
    // What was got from the one before is here; the next session gets the rest.
    const absl::Status end =
        catalog_done_ ? absl::OkStatus()
                      : MakeError(v1::REASON_CANCELLED, "another upstream is followed from now on");
    catalog_done_ = false;
    if (!Check(sessions_.End(end, now_))) return;
    Announce();
  }
  CloseCalls();
  state_ = State::kIdle;
  if (request_call_ != 0) wants_.RequestFailed(now_);
  request_call_ = 0;
  report_call_ = 0;
  report_due_ = true;
  approaching_since_ = absl::InfiniteFuture();
  sessions_.SetPeer(event.peer);
  switched_why_ = absl::StrCat("following ", event.peer, " because ", event.why, "; ");
  if (event.at_once) return Begin(v1::SYNC_TRIGGER_RETRY);
  if (next_sync_ == absl::InfiniteFuture()) PlanNext(absl::UnavailableError(event.why));
}

void SyncEngine::On(const RecordsRemoved&) {
  freed_ = true;
  if (!Check(Expand()) || !Check(wants_.RecomputeAll(*selection_, now_))) return;
  report_due_ = true;
  On(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
}

// Without the root's word nobody can tell who is behind; what is newer here is kept then.
bool SyncEngine::MustApproach(const v1::HelloResponse& hello) const {
  if (!in_step_.has_cursor() || hello.verdict() == v1::HELLO_VERDICT_UP_TO_DATE) return false;
  return in_step_.upstream_id() != hello.node_id() ||
         hello.verdict_reason() == ReasonName(v1::REASON_EPOCH_CHANGED) ||
         hello.verdict_reason() == ReasonName(v1::REASON_SEQ_AHEAD);
}

bool SyncEngine::InStep() const {
  return in_step_.upstream_id().empty() || in_step_.upstream_id() == cursor_.upstream_id();
}

void SyncEngine::Approach(const v1::HelloResponse& hello) {
  approaching_ = true;
  approaching_since_ = std::min(approaching_since_, now_);
  approach_why_ = hello.verdict_reason();
  if (approach_why_.empty()) approach_why_ = ReasonName(v1::REASON_UPSTREAM_CHANGED);
  sessions_.session().set_method(v1::SYNC_METHOD_NONE);
  Enter(v1::SYNC_PHASE_CATALOG);
  state_ = State::kTail;
  approach_from_.set_upstream_id(hello.node_id());
  *approach_from_.mutable_epoch() = hello.epoch();
  approach_from_.set_seq(hello.head_seq());
  approach_from_.set_selection_hash(hello.selection_hash());
  AskForMark();
}

void SyncEngine::AskForMark() {
  approach_again_ = absl::InfiniteFuture();
  changes_call_ = NextCall();
  v1::ChangesRequest request;
  request.set_node_id(catalog_.node_id().bytes());
  *request.mutable_cursor() = approach_from_;
  *request.mutable_subscription() = subscription_;
  request.set_watch(options_.watch);
  request.set_marks_only(true);
  request.set_mode(options_.node.mode);
  Do(OpenChanges{changes_call_, std::move(request)});
}

void SyncEngine::OnMarkWhileApproaching(const v1::Mark& mark, bool equal) {
  bool behind = !equal && IsBehind(mark.root_cursor(), in_step_.cursor());
  // A root has nobody to catch up with.
  const bool root = mark.root_cursor().upstream_id() == approach_from_.upstream_id();
  if (behind && (root || now_ - approaching_since_ >= kWaitMax)) {
    behind = false;
    in_step_.clear_cursor();
    in_step_stored_ = false;
  }
  if (behind) {
    // It can come up to the root without a change that is sent here.
    if (options_.watch) approach_again_ = now_ + kAskAgain;
    if (state_ != State::kTail) return;  // Still.
    absl::StrAppend(sessions_.session().mutable_summary(),
                    "the upstream is behind what is known here; nothing is taken until it has "
                    "caught up; ");
    state_ = options_.watch ? State::kWatching : State::kIdle;
    return CatalogDone();
  }
  Do(CloseChanges{std::exchange(changes_call_, 0)});
  approaching_ = false;
  approaching_since_ = absl::InfiniteFuture();
  if (!BeginOutOfWatch()) return;
  catalog_done_ = false;
  const absl::StatusOr<v1::HelloResponse> above = ReadUpstreamHello(catalog_.Read());
  if (!Check(above.status())) return;
  // Another root's facts may be the same ones, and in another order.
  if (equal && IsOfSameHistory(mark.root_cursor(), in_step_.cursor())) {
    cursor_.set_upstream_id(above->node_id());
    *cursor_.mutable_epoch() = above->epoch();
    cursor_.set_seq(mark.seq());
    cursor_.set_selection_hash(mark.selection_hash());
    CatalogChange change;
    change.SetCursor(cursor_);
    if (!Check(catalog_.Commit(change).status())) return;
    sessions_.session().set_to_seq(mark.seq());
    absl::StrAppend(sessions_.session().mutable_summary(), "nothing differs after ", approach_why_,
                    "; ");
    NoteInStep(mark);
    return BeginTail();
  }
  const bool known = cursor_.upstream_id() == above->node_id() &&
                     cursor_.epoch().epoch_id() == above->epoch().epoch_id() &&
                     cursor_.selection_hash() == mark.selection_hash() &&
                     cursor_.seq() <= mark.seq() && in_step_.has_cursor();
  if (!known) {
    absl::StrAppend(sessions_.session().mutable_summary(), "compared because of ", approach_why_,
                    "; ");
    return BeginReconcile(false);
  }
  sessions_.session().set_method(v1::SYNC_METHOD_TAIL);
  BeginTail();
}

// This node holds what its upstream holds, as of `mark`.
void SyncEngine::NoteInStep(const v1::Mark& mark) {
  const absl::StatusOr<v1::HelloResponse> above = ReadUpstreamHello(catalog_.Read());
  if (!above.ok()) return;
  const bool another = in_step_.upstream_id() != above->node_id();
  if (another) {
    in_step_.set_upstream_id(above->node_id());
    applier_.KeepDecisions(RecordApplier::Keeping::kUnlessBegunAnew);
    in_step_stored_ = false;
  }
  if (!mark.has_root_cursor()) {
    // From here on it is not known how far this node is; but it has what it had.
    if (!another && mark.has_fingerprint() && in_step_.has_cursor()) {
      in_step_.clear_cursor();
      in_step_stored_ = false;
    }
    return;
  }
  // The upstream that it agreed with before says less: then the root lost something.
  if (another && in_step_.has_cursor() && IsBehind(mark.root_cursor(), in_step_.cursor())) return;
  *in_step_.mutable_cursor() = mark.root_cursor();
  in_step_stored_ = false;
}

// Not with each mark: it is needed when another upstream is followed, and being too old does no
// harm.
absl::Status SyncEngine::StoreInStep() {
  if (in_step_stored_) return absl::OkStatus();
  CatalogChange change;
  change.PutRow(Family::kSettings, kInStepSetting, in_step_);
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  in_step_stored_ = true;
  return absl::OkStatus();
}

}  // namespace sluice
