#include "storage/catalog_commit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/catalog_keys.h"
#include "storage/payload_columns.h"

namespace sluice {

absl::Status CatalogCommit::Apply(const CatalogChange::Op& op) {
  struct Visitor {
    CatalogCommit* commit;
    absl::Status operator()(const CatalogChange::OriginateOp& originate) const {
      return commit->Originate(originate);
    }
    absl::Status operator()(const CatalogChange::AcceptOp& accept) const {
      RETURN_IF_ERROR(commit->Accept(accept.record, accept.keep_decisions));
      ASSIGN_OR_RETURN(const RecordKey key, RecordKey::FromProto(accept.record.record.key()));
      return commit->MoveOwnPolicy(key);
    }
    absl::Status operator()(const CatalogChange::DeleteOp& deletion) const {
      return commit->Delete(deletion.key);
    }
    absl::Status operator()(const CatalogChange::LeaveOp& leave) const {
      RETURN_IF_ERROR(commit->Leave(leave.key, leave.shard));
      return commit->MoveOwnPolicy(leave.key);
    }
    absl::Status operator()(const CatalogChange::KeepOp& keep) const {
      RETURN_IF_ERROR(commit->Keep(keep.key));
      return commit->MoveOwnPolicy(keep.key);
    }
  };
  return std::visit(Visitor{this}, op);
}

absl::Status CatalogCommit::Originate(const CatalogChange::OriginateOp& op) {
  CheckedRecord record = op.record;
  ASSIGN_OR_RETURN(const RecordKey given, [&]() -> absl::StatusOr<RecordKey> {
    // A revision may come without number; it gets one below.
    if (record.record.key().revision() == 0 &&
        record.record.key().kind() == v1::RECORD_KIND_REVISION) {
      record.record.mutable_key()->set_revision(1);
    }
    return RecordKey::FromProto(record.record.key());
  }());
  if (given.kind == v1::RECORD_KIND_REVISION) {
    return OriginateRevision(std::move(record), op.unless_purged);
  }
  if (given.kind == v1::RECORD_KIND_POLICY) return OriginatePolicy(std::move(record));
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(given));
  const bool same = stored.has_value() && stored->record.state() == v1::RECORD_STATE_PRESENT &&
                    stored->record.digest() == record.record.digest();
  if (same) {
    ++outcome_.unchanged;
    return absl::OkStatus();
  }
  *record.record.mutable_stamp() = NextStamp();
  return MergeIn(given, std::move(record));
}

absl::Status CatalogCommit::OriginateRevision(CheckedRecord record, bool unless_purged) {
  ASSIGN_OR_RETURN(RecordKey key, RecordKey::FromProto(record.record.key()));
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> present, reader_.Revisions(key.id));
  if (!present.empty() && present.back().header.digest() == record.record.digest()) {
    ++outcome_.unchanged;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> rows, RevisionRows(key));
  const bool purged =
      present.empty() && std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
        return row.header.digest() == record.record.digest();
      });
  if (purged && unless_purged) {
    ++outcome_.unchanged;
    return absl::OkStatus();
  }
  key.revision = rows.empty() ? 1 : rows.back().key.revision + 1;
  for (const RecordColumns& row : rows) {
    // An old revision is offered again: it is the current one from now on, under its old number.
    const bool present_again = row.header.state() == v1::RECORD_STATE_PRESENT &&
                               row.header.digest() == record.record.digest();
    if (present_again) key.revision = row.key.revision;
  }
  *record.record.mutable_key() = key.ToProto();
  *record.record.mutable_stamp() = NextStamp();
  const v1::ShardDefinition shard = record.shard;
  RETURN_IF_ERROR(MergeIn(key, std::move(record)));
  return MoveFollowers(key.id, shard);
}

absl::Status CatalogCommit::OriginatePolicy(CheckedRecord record) {
  ASSIGN_OR_RETURN(const RecordKey key, RecordKey::FromProto(record.record.key()));
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(key));
  std::vector<v1::DecisionEntry> fresh;
  for (const v1::DecisionEntry& entry : record.record.decisions()) {
    const bool known =
        stored.has_value() &&
        std::any_of(stored->record.decisions().begin(), stored->record.decisions().end(),
                    [&entry](const v1::DecisionEntry& other) {
                      return other.key() == entry.key() && other.digest() == entry.digest();
                    });
    if (!known) fresh.push_back(entry);
  }
  if (fresh.empty()) {
    ++outcome_.unchanged;
    return absl::OkStatus();
  }
  for (v1::DecisionEntry& entry : fresh) *entry.mutable_stamp() = NextStamp();
  ASSIGN_OR_RETURN(CheckedRecord packed, PackPolicy(key.id, fresh, record.shard));
  *packed.record.mutable_stamp() = fresh.back().stamp();
  return MergeIn(key, std::move(packed));
}

absl::Status CatalogCommit::Accept(CheckedRecord record, bool keep_decisions) {
  ASSIGN_OR_RETURN(RecordKey key, RecordKey::FromProto(record.record.key()));
  if (key.kind == v1::RECORD_KIND_REVISION) {
    ASSIGN_OR_RETURN(const std::optional<RecordKey> place, PlaceRevision(key, record));
    if (!place.has_value()) {
      ++outcome_.unchanged;
      return absl::OkStatus();
    }
    key = *place;
    *record.record.mutable_key() = key.ToProto();
  }
  if (keep_decisions) RETURN_IF_ERROR(KeepUndecided(key, record));
  const std::string digest = record.record.digest();
  const v1::Stamp stamp = record.record.stamp();
  RETURN_IF_ERROR(TakeOver(key, std::move(record)));
  if (key.kept_by == self()) return absl::OkStatus();
  return Adopt(key, digest, stamp);
}

absl::StatusOr<std::optional<RecordKey>> CatalogCommit::PlaceRevision(
    const RecordKey& key, const CheckedRecord& record) const {
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> rows, RevisionRows(key));
  const RecordColumns* under_key = nullptr;
  for (const RecordColumns& row : rows) {
    if (row.key == key) under_key = &row;
    // The same revision, whatever its number.
    const bool same = row.header.digest() == record.record.digest();
    if (same && row.header.state() == v1::RECORD_STATE_PRESENT) return std::optional(row.key);
  }
  if (under_key == nullptr || under_key->header.digest() == record.record.digest()) {
    return std::optional(key);
  }
  // The number is taken by another revision: that one is never overwritten, and a tombstone that
  // means neither has no effect.
  if (record.record.state() == v1::RECORD_STATE_TOMBSTONE) return std::optional<RecordKey>();
  RecordKey free = key;
  free.revision = rows.back().key.revision + 1;
  return std::optional(free);
}

absl::Status CatalogCommit::Delete(const RecordKey& key) {
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(key));
  if (!stored.has_value() || stored->record.state() != v1::RECORD_STATE_PRESENT) {
    return absl::OkStatus();
  }
  CheckedRecord tombstone;
  tombstone.shard = stored->shard;
  tombstone.record.set_shard_id(stored->record.shard_id());
  tombstone.record.set_digest(stored->record.digest());
  *tombstone.record.mutable_key() = key.ToProto();
  tombstone.record.set_state(v1::RECORD_STATE_TOMBSTONE);
  *tombstone.record.mutable_stamp() = NextStamp();
  return MergeIn(key, std::move(tombstone));
}

absl::Status CatalogCommit::Leave(const RecordKey& key, const ShardId& shard) {
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(key));
  if (!stored.has_value() || stored->record.shard_id() != shard.bytes()) return absl::OkStatus();
  ++outcome_.left;
  return Remove(key, *stored);
}

absl::Status CatalogCommit::MergeIn(const RecordKey& key, CheckedRecord record) {
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(key));
  return StoreMerged(key, Merge(stored, std::move(record)));
}

absl::Status CatalogCommit::TakeOver(const RecordKey& key, CheckedRecord record) {
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(key));
  const bool same = stored.has_value() && stored->record.digest() == record.record.digest() &&
                    stored->record.state() == record.record.state();
  const bool elsewhere =
      stored.has_value() && stored->record.shard_id() != record.record.shard_id();
  const bool both_present = stored.has_value() &&
                            stored->record.state() == v1::RECORD_STATE_PRESENT &&
                            record.record.state() == v1::RECORD_STATE_PRESENT;
  const bool kept_above = key.kept() && key.kept_by != self();
  const bool policy = !key.kept() && key.kind == v1::RECORD_KIND_POLICY;
  // A restored upstream has the same facts with older stamps, and where they were then.
  const bool moves = same && elsewhere && both_present && (!key.kept() || kept_above);
  const bool replaces = moves || (!same && (kept_above || (policy && both_present)));
  return StoreMerged(key, replaces ? Merged{MergeResult::kReplaced, std::move(record)}
                                   : Merge(stored, std::move(record)));
}

absl::Status CatalogCommit::StoreMerged(const RecordKey& key, Merged merged) {
  switch (merged.result) {
    case MergeResult::kIdentical:
    case MergeResult::kStale:
      ++outcome_.unchanged;
      return absl::OkStatus();
    case MergeResult::kRestamped:
      ++outcome_.restamped;
      break;
    case MergeResult::kNew:
    case MergeResult::kReplaced:
      ++(merged.record.record.state() == v1::RECORD_STATE_PRESENT ? outcome_.stored
                                                                  : outcome_.deleted);
  }
  return Store(key, std::move(merged.record));
}

absl::Status CatalogCommit::MoveFollowers(const Uuid& update_id, const v1::ShardDefinition& shard) {
  for (const v1::RecordKind kind : {v1::RECORD_KIND_POLICY, v1::RECORD_KIND_EXPIRY}) {
    RETURN_IF_ERROR(MoveFollower({kind, update_id, 0, {}}, shard));
  }
  return absl::OkStatus();
}

absl::Status CatalogCommit::MoveFollower(const RecordKey& key, const v1::ShardDefinition& shard) {
  ASSIGN_OR_RETURN(std::optional<CheckedRecord> follower, Load(key));
  if (!follower.has_value()) return absl::OkStatus();
  v1::ShardDefinition target = ShardInStream(shard, StreamOf(key.kind));
  const std::string target_id = ShardId::Of(target).bytes();
  if (follower->record.shard_id() == target_id) return absl::OkStatus();
  follower->record.set_shard_id(target_id);
  follower->shard = std::move(target);
  return Store(key, *std::move(follower));
}

absl::Status CatalogCommit::MoveOwnPolicy(const RecordKey& revision) {
  if (state_.mode() != v1::NODE_MODE_AUTONOMOUS || revision.kind != v1::RECORD_KIND_REVISION) {
    return absl::OkStatus();
  }
  const RecordKey policy = {v1::RECORD_KIND_POLICY, revision.id, 0, {}};
  // Nobody decided about most updates.
  const absl::StatusOr<std::string> stored = view_->Get(Family::kRecords, policy.Encode());
  if (absl::IsNotFound(stored.status())) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader_.Revisions(revision.id));
  if (revisions.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::optional<CheckedRecord> current, Load(revisions.back().key));
  // A kept revision is in a shard of its keeper; what is decided about it is not kept.
  current->shard.clear_kept_by();
  return MoveFollower(policy, current->shard);
}

}  // namespace sluice
