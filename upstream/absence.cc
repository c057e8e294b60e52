#include "upstream/absence.h"

#include <optional>
#include <utility>

#include "common/errors.h"
#include "common/status.h"
#include "storage/absent_record.h"

namespace sluice {

absl::Status ExplainAbsence(const CatalogReader& reader, const RecordKey& key,
                            absl::flat_hash_set<ShardId>& defined, v1::GetRecordsResponse& response,
                            v1::GetRecordsItem& item) {
  if (item.status().reason() == ReasonName(v1::REASON_ITEM_PURGED)) {
    ASSIGN_OR_RETURN(std::optional<v1::Record> tombstone, TombstoneOf(reader, key));
    if (!tombstone.has_value()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(tombstone->shard_id()));
    if (defined.insert(shard).second) {
      ASSIGN_OR_RETURN(const ShardInfo info, reader.Shard(shard));
      *response.add_shards() = info.definition;
    }
    *item.mutable_record() = *std::move(tombstone);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool left, HasLeft(reader, key));
  if (!left) return absl::OkStatus();
  item.mutable_status()->set_code(static_cast<int>(FactsOf(v1::REASON_ITEM_FILTERED).code));
  item.mutable_status()->set_reason(ReasonName(v1::REASON_ITEM_FILTERED));
  item.mutable_status()->clear_message();
  return absl::OkStatus();
}

}  // namespace sluice
