// What a commit does with what only this node still has, and nodes above keep
// (docs/decisions/0004).
#include <algorithm>
#include <utility>

#include "common/status.h"
#include "storage/catalog_commit.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

// Those of `entries` that `others` neither hold nor overrule by a newer stamp.
template <typename Entries>
std::vector<v1::DecisionEntry> Undecided(const Entries& entries,
                                         const std::vector<v1::DecisionEntry>& others) {
  std::vector<v1::DecisionEntry> left;
  for (const v1::DecisionEntry& entry : entries) {
    const bool decided =
        std::any_of(others.begin(), others.end(), [&entry](const v1::DecisionEntry& other) {
          if (other.key() != entry.key()) return false;
          return other.digest() == entry.digest() || !IsNewerStamp(entry.stamp(), other.stamp());
        });
    if (!decided) left.push_back(entry);
  }
  return left;
}

}  // namespace

absl::Status CatalogCommit::Adopt(const RecordKey& key, absl::string_view digest,
                                  const v1::Stamp& stamp) {
  if (key.kind == v1::RECORD_KIND_REVISION) {
    RecordKey kept = key;
    kept.kept_by = self();
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> rows, RevisionRows(kept));
    for (const RecordColumns& row : rows) {
      if (row.header.digest() != digest) continue;
      ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(row.key));
      ++outcome_.adopted;
      return Remove(row.key, *stored);
    }
    return absl::OkStatus();
  }
  const RecordKey kept = {key.kind, key.id, 0, self()};
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(kept));
  if (!stored.has_value()) return absl::OkStatus();
  if (key.kind == v1::RECORD_KIND_POLICY) return AdoptPolicy(kept);
  ASSIGN_OR_RETURN(const Stamp ours, Stamp::FromProto(stored->record.stamp()));
  ASSIGN_OR_RETURN(const Stamp theirs, Stamp::FromProto(stamp));
  // A fact of a lost history outlives an older one; what is newer takes its place.
  if (stored->record.digest() != digest && theirs < ours) return absl::OkStatus();
  ++outcome_.adopted;
  return Remove(kept, *stored);
}

absl::Status CatalogCommit::AdoptPolicy(const RecordKey& kept) {
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(kept));
  ASSIGN_OR_RETURN(const std::vector<v1::DecisionEntry> above, DecisionsAbove(kept.id));
  const std::vector<v1::DecisionEntry> left = Undecided(stored->record.decisions(), above);
  if (left.size() == static_cast<size_t>(stored->record.decisions_size())) return absl::OkStatus();
  ++outcome_.adopted;
  if (left.empty()) return Remove(kept, *stored);
  ASSIGN_OR_RETURN(CheckedRecord packed, PackPolicy(kept.id, left, stored->shard));
  *packed.record.mutable_key() = kept.ToProto();
  *packed.record.mutable_stamp() = stored->record.stamp();
  return Store(kept, std::move(packed));
}

absl::Status CatalogCommit::KeepUndecided(const RecordKey& key, const CheckedRecord& incoming) {
  if (key.kind != v1::RECORD_KIND_POLICY || key.kept()) return absl::OkStatus();
  if (incoming.record.state() != v1::RECORD_STATE_PRESENT) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(key));
  if (!stored.has_value() || stored->record.state() != v1::RECORD_STATE_PRESENT) {
    return absl::OkStatus();
  }
  const std::vector<v1::DecisionEntry> theirs(incoming.record.decisions().begin(),
                                              incoming.record.decisions().end());
  std::vector<v1::DecisionEntry> left = Undecided(stored->record.decisions(), theirs);
  if (left.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<v1::DecisionEntry> above, DecisionsKeptAbove(key.id));
  left = Undecided(left, above);
  if (left.empty()) return absl::OkStatus();
  v1::ShardDefinition shard = stored->shard;
  shard.set_kept_by(self().bytes());
  ASSIGN_OR_RETURN(CheckedRecord packed, PackPolicy(key.id, left, shard));
  const RecordKey kept = {key.kind, key.id, 0, self()};
  *packed.record.mutable_key() = kept.ToProto();
  *packed.record.mutable_stamp() = stored->record.stamp();
  ++outcome_.kept;
  return MergeIn(kept, std::move(packed));
}

absl::StatusOr<std::vector<v1::DecisionEntry>> CatalogCommit::DecisionsKeptAbove(
    const Uuid& update_id) const {
  std::vector<v1::DecisionEntry> decisions;
  const std::string mine = RecordKey{v1::RECORD_KIND_POLICY, update_id, 0, self()}.Encode();
  const std::string prefix = mine.substr(0, 1 + Uuid::kSizeBytes);
  const auto cursor = view_->Scan(Family::kRecords, prefix, PrefixEnd(prefix));
  for (; cursor->Valid(); cursor->Next()) {
    if (cursor->key() == mine) continue;
    ASSIGN_OR_RETURN(const stored::v1::RecordHeader header, DecodeHeader(cursor->value()));
    if (header.state() != v1::RECORD_STATE_PRESENT) continue;
    decisions.insert(decisions.end(), header.decisions().begin(), header.decisions().end());
  }
  RETURN_IF_ERROR(cursor->status());
  return decisions;
}

absl::StatusOr<std::vector<v1::DecisionEntry>> CatalogCommit::DecisionsAbove(
    const Uuid& update_id) const {
  ASSIGN_OR_RETURN(std::vector<v1::DecisionEntry> above, DecisionsKeptAbove(update_id));
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> regular,
                   Load({v1::RECORD_KIND_POLICY, update_id, 0, {}}));
  if (regular.has_value()) {
    above.insert(above.end(), regular->record.decisions().begin(),
                 regular->record.decisions().end());
  }
  return above;
}

absl::StatusOr<bool> CatalogCommit::IsAbove(const RecordKey& key,
                                            const CheckedRecord& record) const {
  if (key.kind == v1::RECORD_KIND_POLICY) {
    ASSIGN_OR_RETURN(const std::vector<v1::DecisionEntry> above, DecisionsAbove(key.id));
    return Undecided(record.record.decisions(), above).empty();
  }
  RecordKey regular = key;
  regular.kept_by = Uuid();
  if (key.kind == v1::RECORD_KIND_REVISION) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> rows, RevisionRows(regular));
    for (const RecordColumns& row : rows) {
      const bool present = row.header.state() == v1::RECORD_STATE_PRESENT;
      if (present && row.header.digest() == record.record.digest()) return true;
    }
  } else {
    ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(regular));
    if (stored.has_value() && stored->record.digest() == record.record.digest()) return true;
  }
  RecordKey mine = key;
  mine.kept_by = self();
  const std::string encoded = mine.Encode();
  const std::string prefix = encoded.substr(0, 1 + Uuid::kSizeBytes);
  const auto cursor = view_->Scan(Family::kRecords, prefix, PrefixEnd(prefix));
  bool found = false;
  for (; cursor->Valid() && !found; cursor->Next()) {
    ASSIGN_OR_RETURN(const RecordKey other, RecordKey::Decode(cursor->key()));
    if (other.kept_by == self()) continue;
    ASSIGN_OR_RETURN(const stored::v1::RecordHeader header, DecodeHeader(cursor->value()));
    found = header.state() == v1::RECORD_STATE_PRESENT && header.digest() == record.record.digest();
  }
  RETURN_IF_ERROR(cursor->status());
  return found;
}

absl::Status CatalogCommit::Keep(const RecordKey& key) {
  ASSIGN_OR_RETURN(std::optional<CheckedRecord> stored, Load(key));
  if (!stored.has_value() || key.kept_by == self()) return absl::OkStatus();
  RETURN_IF_ERROR(Remove(key, *stored));
  if (stored->record.state() != v1::RECORD_STATE_PRESENT) return absl::OkStatus();
  // A node above has it: the one that is followed now, or one that keeps it.
  ASSIGN_OR_RETURN(const bool above, IsAbove(key, *stored));
  if (above) {
    ++outcome_.left;
    return absl::OkStatus();
  }
  RecordKey kept = key;
  kept.kept_by = self();
  stored->shard.set_kept_by(self().bytes());
  stored->record.set_shard_id(ShardId::Of(stored->shard).bytes());
  *stored->record.mutable_key() = kept.ToProto();
  if (kept.kind == v1::RECORD_KIND_REVISION) {
    ASSIGN_OR_RETURN(const std::optional<RecordKey> place, PlaceRevision(kept, *stored));
    kept = place.value_or(kept);
    *stored->record.mutable_key() = kept.ToProto();
  }
  ++outcome_.kept;
  return MergeIn(kept, *std::move(stored));
}

}  // namespace sluice
