#include "upstream/returned_records.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/merge.h"
#include "storage/payload.h"

namespace sluice {
namespace {

absl::Status CheckStamp(const stored::v1::StoreState& state, const v1::Stamp& stamp,
                        const std::string& what) {
  const bool before = stamp.epoch_counter() < state.epoch().counter();
  const bool own = stamp.epoch_counter() == state.epoch().counter() &&
                   stamp.origin_id() == state.node_id() &&
                   stamp.version() <= state.origin_version();
  if (before || own) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(what, " claims to be newer than this node's history; refuse the petition"));
}

absl::Status CheckStamps(const stored::v1::StoreState& state, const v1::Record& record,
                         const std::string& what) {
  RETURN_IF_ERROR(CheckStamp(state, record.stamp(), what));
  for (const v1::DecisionEntry& entry : record.decisions()) {
    RETURN_IF_ERROR(CheckStamp(state, entry.stamp(), what));
  }
  return absl::OkStatus();
}

// The stored record with its columns; none when nothing is under that key.
absl::StatusOr<std::optional<CheckedRecord>> Load(const CatalogReader& reader,
                                                  const RecordKey& key) {
  absl::StatusOr<v1::Record> record = reader.GetRecord(key);
  if (absl::IsNotFound(record.status())) return std::optional<CheckedRecord>();
  RETURN_IF_ERROR(record.status());
  ASSIGN_OR_RETURN(const ShardId id, ShardId::FromBytes(record->shard_id()));
  ASSIGN_OR_RETURN(const ShardInfo shard, reader.Shard(id));
  ASSIGN_OR_RETURN(CheckedRecord checked, CheckRecord(*std::move(record), shard.definition));
  return std::optional<CheckedRecord>(std::move(checked));
}

class Planner {
 public:
  Planner(const CatalogReader& reader, const stored::v1::StoreState& state)
      : reader_(reader), state_(state) {}

  absl::Status Add(const v1::Record& record, const v1::ShardDefinition& shard) {
    ASSIGN_OR_RETURN(const RecordKey key, RecordKey::FromProto(record.key()));
    ASSIGN_OR_RETURN(CheckedRecord checked, CheckRecord(record, shard));
    RETURN_IF_ERROR(CheckStamps(state_, checked.record, key.ToString()));
    switch (key.kind) {
      case v1::RECORD_KIND_REVISION:
        return AddRevision(key, std::move(checked));
      case v1::RECORD_KIND_POLICY:
      case v1::RECORD_KIND_EXPIRY:
        followers_.emplace(key, std::move(checked));
        return absl::OkStatus();
      default:
        return AddFact(key, std::move(checked));
    }
  }

  // Policies and expiries are in the shard of their update's current revision, and follow it.
  absl::StatusOr<ReturnedRecords> Finish() {
    for (const auto& [update, shard] : current_) {
      for (const v1::RecordKind kind : {v1::RECORD_KIND_POLICY, v1::RECORD_KIND_EXPIRY}) {
        const RecordKey key = {kind, update, 0, {}};
        if (followers_.contains(key)) continue;
        ASSIGN_OR_RETURN(std::optional<CheckedRecord> stored, Load(reader_, key));
        if (stored.has_value()) RETURN_IF_ERROR(Place(key, *std::move(stored)));
      }
    }
    for (auto& [key, record] : followers_) {
      ASSIGN_OR_RETURN(std::optional<CheckedRecord> stored, Load(reader_, key));
      Merged merged = Merge(stored, record);
      const bool known =
          merged.result == MergeResult::kIdentical || merged.result == MergeResult::kStale;
      if (!known) ++returned_.taken;
      if (known && !stored.has_value()) continue;
      RETURN_IF_ERROR(Place(key, known ? *std::move(stored) : std::move(merged.record)));
    }
    return std::move(returned_);
  }

 private:
  absl::Status AddFact(const RecordKey& key, CheckedRecord record) {
    ASSIGN_OR_RETURN(const std::optional<CheckedRecord> stored, Load(reader_, key));
    const MergeResult result = Merge(stored, record).result;
    if (result == MergeResult::kNew || result == MergeResult::kReplaced) ++returned_.taken;
    returned_.first.Accept(std::move(record));
    return absl::OkStatus();
  }

  // Revisions are never overwritten; the newest stamp says which is current.
  absl::Status AddRevision(const RecordKey& key, CheckedRecord record) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> known, reader_.Revisions(key.id));
    bool is_known = false;
    bool is_current = true;
    for (const RecordColumns& revision : known) {
      is_known = is_known || revision.header.digest() == record.record.digest();
      is_current = is_current && !IsNewerStamp(revision.header.stamp(), record.record.stamp());
    }
    const auto returned = newest_.find(key.id);
    if (returned != newest_.end()) {
      is_current = is_current && IsNewerStamp(record.record.stamp(), returned->second);
    }
    if (is_current && !is_known) {
      current_[key.id] = record.shard;
      newest_[key.id] = record.record.stamp();
    }
    if (!is_known) ++returned_.taken;
    returned_.first.Accept(std::move(record));
    return absl::OkStatus();
  }

  // Takes it into the shard where it belongs.
  absl::Status Place(const RecordKey& key, CheckedRecord record) {
    ASSIGN_OR_RETURN(const std::optional<v1::ShardDefinition> at, CurrentShard(key.id));
    if (at.has_value()) {
      record.shard = ShardInStream(*at, StreamOf(key.kind));
      record.record.set_shard_id(ShardId::Of(record.shard).bytes());
      record.header.set_shard_id(record.record.shard_id());
    }
    returned_.change.Accept(std::move(record));
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<v1::ShardDefinition>> CurrentShard(const Uuid& update) const {
    const auto returned = current_.find(update);
    if (returned != current_.end()) return std::optional(returned->second);
    const absl::StatusOr<RecordColumns> current = reader_.CurrentRevision(update);
    if (absl::IsNotFound(current.status())) return std::optional<v1::ShardDefinition>();
    RETURN_IF_ERROR(current.status());
    ASSIGN_OR_RETURN(const ShardId id, ShardId::FromBytes(current->header.shard_id()));
    ASSIGN_OR_RETURN(ShardInfo info, reader_.Shard(id));
    return std::optional(std::move(info.definition));
  }

  const CatalogReader& reader_;
  const stored::v1::StoreState& state_;
  ReturnedRecords returned_;
  std::map<RecordKey, CheckedRecord> followers_;
  // Updates whose current revision comes back, with its shard and stamp.
  std::map<Uuid, v1::ShardDefinition> current_;
  std::map<Uuid, v1::Stamp> newest_;
};

}  // namespace

absl::StatusOr<ReturnedRecords> PlanReturned(const CatalogReader& reader,
                                             const v1::Petition& petition) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  std::map<std::string, const v1::ShardDefinition*> shards;
  for (const v1::ShardDefinition& shard : petition.shards()) {
    shards.emplace(ShardId::Of(shard).bytes(), &shard);
  }
  Planner planner(reader, state);
  for (const v1::Record& record : petition.records()) {
    const auto shard = shards.find(record.shard_id());
    if (shard == shards.end()) {
      return absl::FailedPreconditionError("a record came without its shard's definition");
    }
    RETURN_IF_ERROR(planner.Add(record, *shard->second));
  }
  return planner.Finish();
}

}  // namespace sluice
