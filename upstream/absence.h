// Absence: what a node says of a record that it does not have, so that the one who asks knows
// whether to let go of it too.
#pragma once

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// Completes `item`, whose status says that `key` is not here:
//
//   deleted here             ITEM_PURGED, with the tombstone as the record, its shard defined;
//   left this node's shards  ITEM_FILTERED;
//   never heard of           as it is.
//
// Errors: DATA_LOSS the store is damaged.
absl::Status ExplainAbsence(const CatalogReader& reader, const RecordKey& key,
                            absl::flat_hash_set<ShardId>& defined, v1::GetRecordsResponse& response,
                            v1::GetRecordsItem& item);

}  // namespace sluice
