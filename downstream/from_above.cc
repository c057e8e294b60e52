#include "downstream/from_above.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/selection.h"

namespace sluice {
namespace {

// The shard of what is stored under the key, a tombstone too; none if nothing is.
absl::StatusOr<std::optional<ShardId>> PlaceOf(const CatalogReader& reader, const RecordKey& key) {
  const absl::StatusOr<RecordColumns> columns = reader.GetColumns(key);
  if (absl::IsNotFound(columns.status())) return reader.TombstoneShard(key);
  RETURN_IF_ERROR(columns.status());
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(columns->header.shard_id()));
  return std::optional(shard);
}

}  // namespace

bool ComesFromAbove(const Catalog& catalog, const v1::ShardDefinition& shard) {
  const bool decides =
      catalog.mode() == v1::NODE_MODE_AUTONOMOUS && shard.stream() == v1::STREAM_KIND_POLICY;
  return !decides && !IsOwnOf(shard, catalog.node_id());
}

absl::StatusOr<bool> TakesFromAbove(const Catalog& catalog, const CheckedRecord& record) {
  ASSIGN_OR_RETURN(const RecordKey key, RecordKey::FromProto(record.record.key()));
  bool allowed = ComesFromAbove(catalog, record.shard);
  bool has_effect = true;
  if (allowed && key.kind == v1::RECORD_KIND_SITE) {
    // A tombstone does not show whose notice it means; what is here does.
    ASSIGN_OR_RETURN(const std::optional<ShardId> place, PlaceOf(catalog.Read(), key));
    allowed = !place.has_value() || MayLeave(catalog, *place);
    has_effect = place.has_value() || record.record.state() == v1::RECORD_STATE_PRESENT;
  }
  if (allowed) return has_effect;
  return MakeError(
      v1::REASON_ITEM_CORRUPT,
      absl::StrCat("the upstream speaks for this node: ", key.ToString(), " is its own matter"));
}

bool MayLeave(const Catalog& catalog, const ShardId& shard) {
  const absl::StatusOr<ShardInfo> info = catalog.Read().Shard(shard);
  return info.ok() && ComesFromAbove(catalog, info->definition);
}

}  // namespace sluice
