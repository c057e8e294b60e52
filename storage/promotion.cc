#include "storage/promotion.h"

#include <string>
#include <utility>
#include <vector>

#include "common/status.h"
#include "storage/merge.h"
#include "storage/payload.h"
#include "storage/selection.h"

namespace sluice {
namespace {

// What a node keeps about following.
constexpr Family kFollowing[] = {Family::kCursors, Family::kMissing, Family::kFindings,
                                 Family::kSessions};
// In the order in which one may need another.
constexpr v1::RecordKind kKinds[] = {v1::RECORD_KIND_CATEGORY, v1::RECORD_KIND_REVISION,
                                     v1::RECORD_KIND_TARGET_GROUP, v1::RECORD_KIND_EXPIRY,
                                     v1::RECORD_KIND_POLICY};

// All records of `kind` that this node or one above it keeps.
absl::StatusOr<std::vector<RecordKey>> Kept(const CatalogReader& reader, v1::RecordKind kind) {
  constexpr int kAtOnce = 1000;
  std::vector<RecordKey> kept;
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> rows, reader.List(kind, after, kAtOnce));
    for (const RecordColumns& row : rows) {
      if (row.key.kept()) kept.push_back(row.key);
    }
    if (rows.size() < kAtOnce) return kept;
    after = rows.back().key.Encode();
  }
}

// The policy of an update with all decisions in force here, the kept ones among them.
absl::StatusOr<CheckedRecord> WholePolicy(const CatalogReader& reader, const Uuid& update,
                                          const v1::ShardDefinition& shard) {
  ASSIGN_OR_RETURN(const std::vector<v1::DecisionEntry> decisions, reader.Decisions(update));
  ASSIGN_OR_RETURN(CheckedRecord policy, PackPolicy(update, decisions, shard));
  for (const v1::DecisionEntry& entry : decisions) {
    if (policy.record.has_stamp() && !IsNewerStamp(entry.stamp(), policy.record.stamp())) continue;
    *policy.record.mutable_stamp() = entry.stamp();
  }
  return policy;
}

// The record as it was before it was kept.
absl::StatusOr<CheckedRecord> AsOwn(const CatalogReader& reader, const RecordKey& key) {
  ASSIGN_OR_RETURN(v1::Record record, reader.GetRecord(key));
  ASSIGN_OR_RETURN(const ShardId shard_id, ShardId::FromBytes(record.shard_id()));
  ASSIGN_OR_RETURN(ShardInfo shard, reader.Shard(shard_id));
  shard.definition.clear_kept_by();
  if (key.kind == v1::RECORD_KIND_POLICY) return WholePolicy(reader, key.id, shard.definition);
  RecordKey own = key;
  own.kept_by = Uuid();
  *record.mutable_key() = own.ToProto();
  record.set_shard_id(ShardId::Of(shard.definition).bytes());
  return CheckRecord(std::move(record), shard.definition);
}

absl::Status TakeOverKept(Catalog& catalog, v1::RecordKind kind, Promotion& promotion) {
  ASSIGN_OR_RETURN(const std::vector<RecordKey> kept, Kept(catalog.Read(), kind));
  constexpr size_t kAtOnce = 500;
  for (size_t begin = 0; begin < kept.size(); begin += kAtOnce) {
    const CatalogReader reader = catalog.Read();
    CatalogChange change;
    for (size_t i = begin; i < kept.size() && i < begin + kAtOnce; ++i) {
      ASSIGN_OR_RETURN(const v1::Record stored, reader.GetRecord(kept[i]));
      ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(stored.shard_id()));
      ASSIGN_OR_RETURN(CheckedRecord own, AsOwn(reader, kept[i]));
      change.Leave(kept[i], shard);
      // Under its old stamp: what is newer here stays newer.
      change.Accept(std::move(own));
      ++promotion.records;
    }
    RETURN_IF_ERROR(catalog.Commit(change).status());
  }
  return absl::OkStatus();
}

// What nodes that were above held back.
absl::Status DropNoticesFromAbove(Catalog& catalog) {
  const CatalogReader reader = catalog.Read();
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  CatalogChange change;
  for (const ShardInfo& shard : shards) {
    if (shard.definition.stream() != v1::STREAM_KIND_SITE) continue;
    if (IsOwnOf(shard.definition, catalog.node_id())) continue;
    constexpr int kNoticesMax = 1 << 20;
    ASSIGN_OR_RETURN(const std::vector<ShardMember> members,
                     reader.Members(shard.id, "", kNoticesMax));
    for (const ShardMember& member : members) change.Leave(member.key, shard.id);
  }
  return catalog.Commit(change).status();
}

}  // namespace

bool FollowsAnother(const CatalogReader& reader) {
  for (const v1::RecordKind kind : kKinds) {
    const absl::StatusOr<std::vector<RecordKey>> kept = Kept(reader, kind);
    if (!kept.ok() || !kept->empty()) return true;
  }
  return reader.GetRow<v1::HelloResponse>(Family::kSettings, kUpstreamHelloSetting).ok();
}

absl::StatusOr<Promotion> TakeOver(Catalog& catalog) {
  Promotion promotion;
  for (const v1::RecordKind kind : kKinds) {
    RETURN_IF_ERROR(TakeOverKept(catalog, kind, promotion));
  }
  RETURN_IF_ERROR(DropNoticesFromAbove(catalog));
  CatalogChange change;
  const CatalogReader reader = catalog.Read();
  for (const Family family : kFollowing) {
    const auto cursor = reader.view().Scan(family, "", "");
    for (; cursor->Valid(); cursor->Next()) change.DeleteRow(family, cursor->key());
    RETURN_IF_ERROR(cursor->status());
  }
  // Last, as FollowsAnother looks at it.
  change.DeleteRow(Family::kSettings, kSubscriptionSetting);
  change.DeleteRow(Family::kSettings, kUpstreamHelloSetting);
  RETURN_IF_ERROR(catalog.Commit(change).status());
  return promotion;
}

}  // namespace sluice
