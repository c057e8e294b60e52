// The sync engine's picks: brings what is taken one by one to what the closure says, and gives back
// the space of files that nothing here names any more.
#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/from_above.h"
#include "downstream/sync_engine.h"
#include "storage/file_release.h"
#include "storage/picked_records.h"

namespace sluice {
namespace {

// Picks can need more picks; not for ever in one session.
constexpr int kRoundsMax = 50;
// When more records leave, comparing does it in several commits.
constexpr int64_t kLeaveMax = 5000;

std::vector<Uuid> Without(const std::vector<Uuid>& all, const std::vector<Uuid>& without) {
  std::vector<Uuid> rest;
  std::set_difference(all.begin(), all.end(), without.begin(), without.end(),
                      std::back_inserter(rest));
  return rest;
}

// Lets the records about `updates` leave that do not come with their shards.
absl::Status LeavePicked(const Catalog& catalog, const CatalogReader& reader,
                         const Selection& selection, const std::vector<Uuid>& updates,
                         CatalogChange& change) {
  WholeShards whole(reader, selection);
  for (const Uuid& update : updates) {
    ASSIGN_OR_RETURN(const std::vector<PlacedRecord> records, RecordsAbout(reader, update));
    for (const PlacedRecord& record : records) {
      if (!sluice::MayLeave(catalog, record.shard)) continue;
      ASSIGN_OR_RETURN(const bool stays, whole.Contain(record.shard));
      if (!stays) change.Leave(record.member.key, record.shard);
    }
  }
  return absl::OkStatus();
}

}  // namespace

// What is to be picked by what is here now, as the subscription and selection that a comparison
// asks for.
absl::Status SyncEngine::TakePicks() {
  const CatalogReader reader = catalog_.Read();
  RETURN_IF_ERROR(closure_.Update(reader, *offered_, pins_));
  SetPicks(closure_.picks(), subscription_);
  ASSIGN_OR_RETURN(selection_, Selection::Expand(reader, subscription_, catalog_.mode()));
  return absl::OkStatus();
}

void SyncEngine::PutPicks(CatalogChange& change) const {
  v1::Subscription picks;
  *picks.mutable_update_ids() = subscription_.update_ids();
  change.PutRow(Family::kSettings, kPicksSetting, picks);
}

// Begins to bring the picks in force to what the closure says now. Returns false when they are.
bool SyncEngine::AdjustPicks() {
  if (pick_rounds_ >= kRoundsMax) return false;
  if (std::exchange(categories_changed_, false) && !Check(Expand())) return true;
  if (!Check(closure_.Update(catalog_.Read(), *offered_, pins_))) return true;
  if (closure_.picks() == picks_) return false;
  ++pick_rounds_;
  if (changes_call_ != 0) Do(CloseChanges{std::exchange(changes_call_, 0)});
  if (!BeginOutOfWatch()) return true;
  catalog_done_ = false;
  Enter(v1::SYNC_PHASE_CATALOG);
  if (cursor_.selection_hash() != offered_->hash().view()) {
    // This node does not see the products as its upstream does.
    absl::StrAppend(sessions_.session().mutable_summary(), "compared because the picks changed; ");
    BeginReconcile(true);
    return true;
  }
  // Until all is through, what is here is not what the cursor says.
  if (!Check(MistrustCursor(/*same_history=*/true))) return true;
  state_ = State::kPicks;
  applier_.BeginStream();
  pick_fetch_.emplace(applier_, options_.node.mode);
  ContinuePicks();
  return true;
}

// What was fetched can need more.
void SyncEngine::ContinuePicks() {
  std::optional<v1::GetRecordsRequest> request = pick_fetch_->Next();
  if (!request.has_value()) {
    if (!Check(closure_.Update(catalog_.Read(), *offered_, pins_))) return;
    for (const Uuid& update : Without(closure_.picks(), picks_)) pick_fetch_->Want(update);
    request = pick_fetch_->Next();
  }
  if (!request.has_value()) return FinishPicks();
  records_call_ = NextCall();
  Do(CallGetRecords{records_call_, *std::move(request)});
}

void SyncEngine::OnPicksAnswered(const RecordsAnswered& event) {
  if (!event.response.ok()) {
    return Fail(Annotate(event.response.status(), "reading single updates"));
  }
  if (!Check(pick_fetch_->Take(*event.response, now_))) return;
  ContinuePicks();
}

// When the guard would hold them, a comparison shows all that is to go.
absl::StatusOr<bool> SyncEngine::MayLeave(int64_t records, CatalogChange& change) {
  if (records > kLeaveMax) return false;
  ASSIGN_OR_RETURN(const bool wish, guard_.SubscriptionChanged(own_subscription_));
  if (wish || records == 0) return true;
  ASSIGN_OR_RETURN(const bool admitted, guard_.Admits(records, now_));
  if (admitted) RETURN_IF_ERROR(guard_.NoteRemoved(records, now_, change));
  return admitted;
}

// From here on the upstream follows the new picks, from the seq up to which the old ones are here:
// what was fetched is at least as new.
void SyncEngine::FinishPicks() {
  const CatalogReader reader = catalog_.Read();
  CatalogChange change;
  const std::vector<Uuid> gone = Without(picks_, closure_.picks());
  // What was fetched can turn out to come with its shard, in part.
  std::vector<Uuid> leaving = gone;
  for (const Uuid& update : Without(pick_fetch_->wanted(), closure_.picks())) {
    if (!std::binary_search(gone.begin(), gone.end(), update)) leaving.push_back(update);
  }
  if (!Check(LeavePicked(catalog_, reader, *offered_, leaving, change))) return;
  const absl::StatusOr<bool> may = MayLeave(static_cast<int64_t>(change.ops().size()), change);
  if (!Check(may.status())) return;
  if (!*may) return BeginReconcile(true);
  SetPicks(closure_.picks(), subscription_);
  const absl::StatusOr<Selection> offered =
      Selection::Expand(reader, subscription_, catalog_.mode(), catalog_.node_id());
  if (!Check(offered.status())) return;
  cursor_.set_selection_hash(offered->hash().bytes());
  change.SetCursor(cursor_);
  PutPicks(change);
  absl::StrAppend(sessions_.session().mutable_summary(), Without(closure_.picks(), picks_).size(),
                  " single updates more, ", gone.size(), " less; ");
  if (pick_fetch_->absent() > 0) {
    absl::StrAppend(sessions_.session().mutable_summary(), "the upstream has nothing about ",
                    pick_fetch_->absent(), " of them; ");
  }
  pick_fetch_.reset();
  if (!Check(applier_.Commit(std::move(change))) || !Check(Expand())) return;
  BeginTail();
}

// ---- Files that no record names any more.

// A file that was being fetched when the last record left that named it.
absl::Status SyncEngine::NoteUnnamed(const Digest& digest) {
  ASSIGN_OR_RETURN(const std::vector<RecordKey> uses, catalog_.Read().FileUses(digest));
  if (!uses.empty()) return absl::OkStatus();
  CatalogChange change;
  NoteForRelease(digest, change);
  freed_ = true;
  return catalog_.Commit(change).status();
}

// Not before a session has ended well: a record that moves can be away for a while.
void SyncEngine::PumpFreed() {
  freed_ |= applier_.TakeFreed();
  const bool at_rest = state_ == State::kIdle || state_ == State::kWatching;
  if (!freed_ || releasing_ || sessions_.running() || failures_ > 0 || !at_rest) return;
  freed_ = false;
  releasing_ = true;
  Do(ReleaseFiles{});
}

void SyncEngine::On(const FilesReleased& event) {
  releasing_ = false;
  for (const Digest& file : event.files) wants_.Forget(file);
  if (!event.files.empty()) report_due_ = true;
}

}  // namespace sluice
