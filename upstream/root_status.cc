#include "upstream/root_status.h"

#include "common/release.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/root_cursor.h"
#include "storage/session_conditions.h"
#include "storage/session_rows.h"

namespace sluice {

absl::StatusOr<v1::NodeStatus> StatusOfRoot(const CatalogReader& reader, const std::string& name,
                                            const OriginContent& content, absl::Time now) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  v1::NodeStatus status;
  status.set_node_id(state.node_id());
  status.set_name(name);
  status.set_mode(v1::NODE_MODE_ROOT);
  *status.mutable_epoch() = state.epoch();
  status.set_head_seq(state.head_seq());
  ASSIGN_OR_RETURN(const std::optional<v1::Cursor> root, ReadRootCursor(reader));
  if (root.has_value()) *status.mutable_root_cursor() = *root;
  status.set_release(std::string(Release()));
  for (const ShardInfo& shard : shards) {
    const bool updates =
        shard.definition.stream() == v1::STREAM_KIND_CATALOG && !shard.definition.always();
    if (!updates) continue;
    status.set_updates(status.updates() + static_cast<int64_t>(shard.fingerprint.count()));
  }
  ASSIGN_OR_RETURN(const auto last_success, LastSuccess(reader));
  if (last_success.has_value()) *status.mutable_last_success() = *last_success;
  content.FillStatus(status);
  for (const v1::Condition& condition : ConditionsOfRoot(reader)) {
    status.add_conditions(condition.reason());
  }
  *status.mutable_reported_at() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
  return status;
}

std::vector<v1::Condition> ConditionsOfRoot(const CatalogReader& reader) {
  return SessionConditions(reader);
}

}  // namespace sluice
