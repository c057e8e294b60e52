// From above: which records the upstream may speak about here.
//
// What a node keeps and what it holds back is its own; so are all decisions of an autonomous node.
// An upstream that says something about them, by mistake or on purpose, changes nothing.
#pragma once

#include "absl/status/statusor.h"
#include "sluice/v1/record.pb.h"
#include "storage/catalog.h"
#include "storage/payload.h"

namespace sluice {

// Whether the records of such a shard come from above, so that both nodes must agree on them.
bool ComesFromAbove(const Catalog& catalog, const v1::ShardDefinition& shard);

// Whether a record that the upstream gives has any effect here. A tombstone of what a node held
// back has none where that never arrived.
//
// Errors: DATA_LOSS ITEM_CORRUPT it speaks for this node.
absl::StatusOr<bool> TakesFromAbove(const Catalog& catalog, const CheckedRecord& record);

// Whether the upstream may say that a record left the shard. Also false when there is none.
bool MayLeave(const Catalog& catalog, const ShardId& shard);

}  // namespace sluice
