// Update index: updates in the order of their ids, from clear columns and shards alone; no body is
// read.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "storage/catalog.h"

namespace sluice {

// The present records of one id, kept ones with the others; never empty.
using RecordGroup = std::vector<RecordColumns>;

// Records of `kind` by id, with ids after `after` (nil: from the start), of at most `max` ids.
absl::StatusOr<std::vector<RecordGroup>> ListById(const CatalogReader& reader, v1::RecordKind kind,
                                                  const Uuid& after, int max);

// The revision with the newest stamp: the current one. `revisions` must not be empty.
absl::StatusOr<RecordColumns> NewestOf(RecordGroup revisions);

// Ids of updates with a revision in one of `shards`, after `after`, in order, at most `max`.
absl::StatusOr<std::vector<Uuid>> UpdatesInShards(const CatalogReader& reader,
                                                  const std::vector<ShardInfo>& shards,
                                                  const Uuid& after, int max);

}  // namespace sluice
