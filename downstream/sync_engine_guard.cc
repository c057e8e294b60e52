// The sync engine's removals: those that are large are looked at as a whole before any of them.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "downstream/sync_engine.h"

namespace sluice {

// The tail brings a large removal in many batches. A comparison knows all of it, and takes in what
// was added and decided even if the removal is held.
absl::StatusOr<bool> SyncEngine::LooksFirst(const v1::ChangeBatch& batch, CatalogChange& change) {
  if (!guard_.on()) return false;
  ASSIGN_OR_RETURN(const int64_t removals, CountRemovals(catalog_.Read(), batch));
  ASSIGN_OR_RETURN(const bool looks, guard_.WantsLook(removals, now_));
  if (!looks) {
    RETURN_IF_ERROR(guard_.NoteRemoved(removals, now_, change));
    return false;
  }
  Do(CloseChanges{std::exchange(changes_call_, 0)});
  absl::StrAppend(sessions_.session().mutable_summary(), "compared because much is removed; ");
  BeginReconcile(InStep());
  return true;
}

bool SyncEngine::RemoveLeftovers() {
  absl::StatusOr<std::vector<RecordKey>> leftovers = reconciler_->Leftovers();
  if (!Check(leftovers.status())) return false;
  // A copy that a node kept goes when its record is in the history again; that loses nothing.
  const auto removals = std::count_if(leftovers->begin(), leftovers->end(),
                                      [](const RecordKey& key) { return !key.kept(); });
  const absl::StatusOr<bool> admitted = guard_.Admits(removals, now_);
  if (!Check(admitted.status())) return false;
  guard_.Looked();
  if (*admitted) return Check(reconciler_->RemoveLeftovers(guard_, now_));
  const absl::Status held = guard_.Hold(
      *std::move(leftovers), "because the upstream deleted them or no longer offers them", now_);
  // What was added and decided above is here by now.
  if (Check(Expand()) && Check(wants_.RecomputeAll(*selection_, now_))) Fail(held);
  return false;
}

}  // namespace sluice
