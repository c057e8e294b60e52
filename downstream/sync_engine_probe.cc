// The sync engine's way where the upstream has another history: before anything is compared shard
// by shard, one fingerprint over all that it offers. Where this node's is the same, the upstream
// was made anew, or is another one, with the same facts, and there is nothing to move.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/sync_engine.h"
#include "storage/root_cursor.h"

namespace sluice {

// False: there is no use in asking. A stream of marks alone, from the upstream's head on, begins
// with one that carries the fingerprint; upstreams of any release answer it.
bool SyncEngine::BeginProbe(const v1::HelloResponse& hello) {
  const bool other_history = hello.verdict_reason() == ReasonName(v1::REASON_EPOCH_CHANGED) ||
                             hello.verdict_reason() == ReasonName(v1::REASON_UPSTREAM_CHANGED);
  if (!other_history) return false;
  sessions_.session().set_phase(v1::SYNC_PHASE_VERIFY);
  sessions_.session().set_method(v1::SYNC_METHOD_RECONCILE);
  Announce();
  state_ = State::kProbe;
  changes_call_ = NextCall();
  v1::ChangesRequest request;
  request.set_node_id(catalog_.node_id().bytes());
  v1::Cursor& head = *request.mutable_cursor();
  head.set_upstream_id(hello.node_id());
  *head.mutable_epoch() = hello.epoch();
  head.set_seq(hello.head_seq());
  head.set_selection_hash(hello.selection_hash());
  *request.mutable_subscription() = subscription_;
  request.set_marks_only(true);
  request.set_mode(options_.node.mode);
  probed_ = head;
  Do(OpenChanges{changes_call_, std::move(request)});
  return true;
}

void SyncEngine::OnProbe(const v1::ChangesResponse& response) {
  // On the way to a head that has moved on.
  if (!response.mark().has_fingerprint()) return;
  Do(CloseChanges{std::exchange(changes_call_, 0)});
  const absl::StatusOr<bool> same = SameAs(response.mark().fingerprint());
  if (!Check(same.status())) return;
  if (!*same) return BeginReconcile(/*same_history=*/false);
  cursor_ = probed_;
  cursor_.set_seq(response.mark().seq());
  compared_seq_ = cursor_.seq();
  CatalogChange change;
  change.SetCursor(cursor_);
  // The next mark says how far the root was followed in this history.
  change.DeleteRow(Family::kSettings, kRootCursorSetting);
  absl::StrAppend(sessions_.session().mutable_summary(), "the same facts; ");
  if (!Check(guard_.Settle(own_subscription_, change))) return;
  if (!Check(applier_.Commit(std::move(change)))) return;
  if (!Check(Expand()) || !Check(wants_.RecomputeAll(*selection_, now_))) return;
  BeginTail();
}

// Whether all that came from above adds up to a fingerprint.
absl::StatusOr<bool> SyncEngine::SameAs(const v1::Fingerprint& fingerprint) const {
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const Selection everything, Selection::Expand(reader, {}, catalog_.mode()));
  ASSIGN_OR_RETURN(const Fingerprint ours, sums_.Of(reader, everything, catalog_.node_id()));
  ASSIGN_OR_RETURN(const Fingerprint theirs, Fingerprint::FromProto(fingerprint));
  return ours == theirs;
}

}  // namespace sluice
