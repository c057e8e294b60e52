#include "downstream/initial_load.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"

namespace sluice {
namespace {

absl::Status Corrupt(absl::string_view what) { return MakeError(v1::REASON_ITEM_CORRUPT, what); }

}  // namespace

absl::StatusOr<std::unique_ptr<InitialLoad>> InitialLoad::Begin(Catalog& catalog,
                                                                SessionLog& sessions,
                                                                WorkerPool* pool) {
  ASSIGN_OR_RETURN(std::unique_ptr<BulkLoad> load, BulkLoad::Begin(catalog, pool));
  return std::unique_ptr<InitialLoad>(new InitialLoad(sessions, std::move(load)));
}

InitialLoad::InitialLoad(SessionLog& sessions, std::unique_ptr<BulkLoad> load)
    : sessions_(sessions), load_(std::move(load)) {}

absl::StatusOr<bool> InitialLoad::Take(v1::LoadResponse message, v1::Cursor& cursor) {
  if (message.has_open() != !begun_) return Corrupt("a load that does not begin at its beginning");
  switch (message.event_case()) {
    case v1::LoadResponse::kOpen:
      begun_ = true;
      open_ = std::move(*message.mutable_open());
      if (open_.epoch().epoch_id() != cursor.epoch().epoch_id()) {
        return MakeError(v1::REASON_EPOCH_CHANGED, "the load is of another history");
      }
      return false;
    case v1::LoadResponse::kPack:
      RETURN_IF_ERROR(TakePack(std::move(*message.mutable_pack())));
      return false;
    case v1::LoadResponse::kEnd:
      RETURN_IF_ERROR(End(cursor));
      return true;
    case v1::LoadResponse::EVENT_NOT_SET:
      break;
  }
  return Corrupt("a load with a message that says nothing");
}

absl::Status InitialLoad::TakePack(v1::LoadPack pack) {
  v1::SyncCounts& counts = *sessions_.session().mutable_counts();
  counts.set_record_bytes(counts.record_bytes() + static_cast<int64_t>(pack.ByteSizeLong()));
  return load_->Add(std::move(pack));
}

absl::Status InitialLoad::End(v1::Cursor& cursor) {
  ASSIGN_OR_RETURN(const Fingerprint ours, load_->Finish());
  ASSIGN_OR_RETURN(const Fingerprint theirs, Fingerprint::FromProto(open_.fingerprint()));
  if (!(ours == theirs)) {
    return Corrupt(absl::StrCat("the load's fingerprint, of ", ours.count(),
                                " records, is not the upstream's, of ", theirs.count()));
  }
  v1::Cursor moved = cursor;
  moved.set_seq(open_.at_seq());
  moved.set_selection_hash(open_.selection_hash());
  sessions_.session().set_to_seq(moved.seq());
  Count();
  CatalogChange change;
  change.SetCursor(moved);
  sessions_.Put(change);
  RETURN_IF_ERROR(load_->Commit(change).status());
  cursor = std::move(moved);
  return absl::OkStatus();
}

void InitialLoad::Count() {
  v1::SyncCounts& counts = *sessions_.session().mutable_counts();
  for (const auto& [kind, count] : load_->counts()) {
    switch (kind) {
      case v1::RECORD_KIND_CATEGORY:
        counts.set_categories(counts.categories() + count);
        break;
      case v1::RECORD_KIND_REVISION:
        counts.set_revisions(counts.revisions() + count);
        break;
      case v1::RECORD_KIND_EXPIRY:
        counts.set_expiries(counts.expiries() + count);
        break;
      case v1::RECORD_KIND_POLICY:
        counts.set_policies(counts.policies() + count);
        break;
      case v1::RECORD_KIND_TARGET_GROUP:
        counts.set_groups(counts.groups() + count);
        break;
      default:
        break;
    }
  }
}

bool IsUnloadable(const absl::Status& status) {
  const v1::Reason reason = ReasonOf(status);
  return reason == v1::REASON_ITEM_CORRUPT || reason == v1::REASON_ITEM_TOO_NEW;
}

}  // namespace sluice
