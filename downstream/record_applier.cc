#include "downstream/record_applier.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/from_above.h"
#include "google/protobuf/util/time_util.h"
#include "storage/absent_record.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr int kMissingPerCommit = 1000;

// The row of an item that could not be had, one attempt more than before.
stored::v1::MissingRow NextMissing(const CatalogReader& reader, absl::string_view item,
                                   const absl::Status& status, absl::Time now) {
  absl::StatusOr<stored::v1::MissingRow> row =
      reader.GetRow<stored::v1::MissingRow>(Family::kMissing, item);
  stored::v1::MissingRow next = row.ok() ? *std::move(row) : stored::v1::MissingRow();
  if (!next.has_first_seen()) {
    *next.mutable_first_seen() =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
  }
  next.set_attempts(next.attempts() + 1);
  next.mutable_status()->set_code(static_cast<int>(status.code()));
  next.mutable_status()->set_reason(ReasonName(ReasonOf(status)));
  next.mutable_status()->set_message(std::string(status.message()));
  return next;
}

}  // namespace

RecordApplier::RecordApplier(Catalog& catalog, SessionLog& sessions)
    : catalog_(catalog), sessions_(sessions) {}

void RecordApplier::Define(const v1::ShardDefinition& shard) {
  shards_[ShardId::Of(shard)] = shard;
}

void RecordApplier::Add(v1::Record record, absl::Time now, CatalogChange& change) {
  const absl::StatusOr<RecordKey> key = RecordKey::FromProto(record.key());
  const std::string item = key.ok() ? key->ToString() : "a record without key";
  v1::SyncCounts& counts = *sessions_.session().mutable_counts();
  counts.set_record_bytes(counts.record_bytes() + static_cast<int64_t>(record.ByteSizeLong()));

  const absl::StatusOr<ShardId> shard = ShardId::FromBytes(record.shard_id());
  const auto definition = shard.ok() ? shards_.find(*shard) : shards_.end();
  absl::StatusOr<CheckedRecord> checked =
      definition == shards_.end()
          ? MakeError(v1::REASON_ITEM_CORRUPT, "came without its shard's definition")
          : CheckRecord(std::move(record), definition->second);
  if (checked.ok()) {
    const absl::StatusOr<bool> takes = TakesFromAbove(catalog_, *checked);
    if (takes.ok() && !*takes) return;
    if (!takes.ok()) checked = takes.status();
  }
  if (!checked.ok()) {
    sessions_.AddItem(item, checked.status());
    change.PutRow(Family::kMissing, item,
                  NextMissing(catalog_.Read(), item, checked.status(), now));
    return;
  }
  change.DeleteRow(Family::kMissing, item);
  Count(*key);
  if (key->kind == v1::RECORD_KIND_REVISION &&
      checked->record.state() == v1::RECORD_STATE_TOMBSTONE) {
    buried_.insert(checked->record.digest());
    buried_updates_.insert(key->id);
  }
  if (KeepsDecisionsOf(*key)) return change.AcceptKeepingDecisions(*std::move(checked));
  change.Accept(*std::move(checked));
}

bool RecordApplier::KeepsDecisionsOf(const RecordKey& policy) const {
  if (policy.kind != v1::RECORD_KIND_POLICY || keeping_ == Keeping::kNone) return false;
  // Where that cannot be read, nothing is given away.
  return keeping_ == Keeping::kAll || !BegunAnew(policy).value_or(false);
}

absl::StatusOr<bool> RecordApplier::BegunAnew(const RecordKey& policy) const {
  const CatalogReader reader = catalog_.Read();
  const absl::StatusOr<RecordColumns> ours = reader.GetColumns(policy);
  if (!ours.ok()) return false;  // There is nothing to lose.
  ASSIGN_OR_RETURN(const Stamp decided, Stamp::FromProto(ours->header.stamp()));
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(policy.id));
  for (const RecordColumns& revision : revisions) {
    ASSIGN_OR_RETURN(const Stamp imported, Stamp::FromProto(revision.header.stamp()));
    // It outlived the decisions, so its update was not removed since.
    if (imported < decided && !buried_.contains(revision.header.digest())) return false;
  }
  if (buried_updates_.contains(policy.id)) return true;
  return HasBuriedRevision(reader, policy.id);
}

void RecordApplier::Add(const v1::Left& left, CatalogChange& change) const {
  const absl::StatusOr<RecordKey> key = RecordKey::FromProto(left.key());
  const absl::StatusOr<ShardId> shard = ShardId::FromBytes(left.shard_id());
  if (!key.ok() || !shard.ok()) return;
  const bool may_leave = MayLeave(catalog_, *shard);
  const CatalogReader reader = catalog_.Read();
  // The upstream lets go of it: then it is not missing there.
  const auto leave_kept = [&](const RecordColumns& kept) {
    const absl::StatusOr<ShardId> kept_in = ShardId::FromBytes(kept.header.shard_id());
    if (kept_in.ok() && kept.header.digest() == left.digest()) change.Leave(kept.key, *kept_in);
  };
  const Uuid& self = catalog_.node_id();
  if (key->kind != v1::RECORD_KIND_REVISION) {
    if (may_leave) change.Leave(*key, *shard);
    const absl::StatusOr<RecordColumns> kept = reader.GetColumns({key->kind, key->id, 0, self});
    if (kept.ok() && !key->kept()) leave_kept(*kept);
    return;
  }
  // Numbers may differ between nodes; what left is named by its digest.
  const absl::StatusOr<std::vector<RecordColumns>> revisions = reader.Revisions(key->id);
  if (!revisions.ok()) return;
  for (const RecordColumns& revision : *revisions) {
    if (revision.key.kept_by == key->kept_by && revision.header.digest() == left.digest()) {
      if (may_leave) change.Leave(revision.key, *shard);
    } else if (revision.key.kept_by == self && !key->kept()) {
      leave_kept(revision);
    }
  }
}

absl::Status RecordApplier::DropTombstone(const RecordKey& key, CatalogChange& change) const {
  ASSIGN_OR_RETURN(const std::optional<ShardId> shard, catalog_.Read().TombstoneShard(key));
  if (shard.has_value()) change.Leave(key, *shard);
  return absl::OkStatus();
}

absl::Status RecordApplier::Apply(v1::ChangeBatch batch, absl::Time now, v1::Cursor& cursor,
                                  CatalogChange change) {
  for (const v1::ShardDefinition& shard : batch.shards()) Define(shard);
  buried_.clear();
  buried_updates_.clear();
  uint64_t last_seq = cursor.seq();
  for (v1::Change& entry : *batch.mutable_changes()) {
    last_seq = entry.seq();
    if (entry.has_record()) {
      Add(std::move(*entry.mutable_record()), now, change);
    } else {
      Add(entry.left(), change);
    }
  }
  v1::Cursor moved = cursor;
  moved.set_seq(last_seq);
  change.SetCursor(moved);
  sessions_.session().set_to_seq(last_seq);
  RETURN_IF_ERROR(Commit(std::move(change)));
  cursor = std::move(moved);
  return absl::OkStatus();
}

absl::Status RecordApplier::Commit(CatalogChange change) {
  sessions_.Put(change);
  change.FreeFiles();
  ASSIGN_OR_RETURN(const CommitOutcome outcome, catalog_.Commit(change));
  freed_ |= outcome.freed_files > 0;
  changed_.insert(changed_.end(), outcome.changed.begin(), outcome.changed.end());
  v1::SyncCounts& counts = *sessions_.session().mutable_counts();
  counts.set_left(counts.left() + outcome.left);
  counts.set_deleted(counts.deleted() + outcome.deleted);
  counts.set_adopted(counts.adopted() + outcome.adopted);
  counts.set_kept(counts.kept() + outcome.kept);
  return absl::OkStatus();
}

absl::Status RecordApplier::ForgetMissing() {
  ASSIGN_OR_RETURN(const auto rows, catalog_.Read().ListRows<stored::v1::MissingRow>(
                                        Family::kMissing, "", "", kMissingPerCommit));
  if (rows.empty()) return absl::OkStatus();
  CatalogChange change;
  for (const auto& [item, row] : rows) change.DeleteRow(Family::kMissing, item);
  return catalog_.Commit(change).status();
}

void RecordApplier::Count(const RecordKey& key) {
  v1::SyncCounts& counts = *sessions_.session().mutable_counts();
  switch (key.kind) {
    case v1::RECORD_KIND_CATEGORY:
      return counts.set_categories(counts.categories() + 1);
    case v1::RECORD_KIND_REVISION:
      return counts.set_revisions(counts.revisions() + 1);
    case v1::RECORD_KIND_EXPIRY:
      return counts.set_expiries(counts.expiries() + 1);
    case v1::RECORD_KIND_POLICY:
      return counts.set_policies(counts.policies() + 1);
    case v1::RECORD_KIND_TARGET_GROUP:
      return counts.set_groups(counts.groups() + 1);
    default:
      return;
  }
}

}  // namespace sluice
