// Picked records: what a selection takes one by one, because it does not take their shards whole.
//
// A picked record lies in the shard that it has everywhere; so of a shard that is not taken whole a
// node holds its picked records and nothing else, and the two sides compare that shard as any
// other, each with what is picked of it (docs/decisions/0010).
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/digest.h"
#include "common/uuid.h"
#include "storage/catalog.h"
#include "storage/fingerprint.h"
#include "storage/selection.h"

namespace sluice {

struct PlacedRecord {
  ShardId shard;
  ShardMember member;
};

// All present records about an update, kept ones too: revisions, expiry, policy.
absl::StatusOr<std::vector<PlacedRecord>> RecordsAbout(const CatalogReader& reader,
                                                       const Uuid& update_id);

// Whether records about an update lie in shards that `selection` takes whole. Asks for each shard
// once.
class WholeShards {
 public:
  WholeShards(const CatalogReader& reader, const Selection& selection)
      : reader_(reader), selection_(selection) {}

  absl::StatusOr<bool> Contain(const ShardId& shard);

 private:
  const CatalogReader& reader_;
  const Selection& selection_;
  absl::flat_hash_map<ShardId, bool> known_;
};

// Members by shard, sorted by key: what `selection` picks of the shards that it does not take
// whole, leaving out what `excluded_keeper` keeps.
using PickedMembers = std::map<ShardId, std::vector<ShardMember>>;
absl::StatusOr<PickedMembers> FindPicked(const CatalogReader& reader, const Selection& selection,
                                         const Uuid& excluded_keeper);

// The sums of the same, kept up to date: only updates about which something changed are looked at
// again.
class PickedSums {
 public:
  // Forgets, and looks at all picks.
  absl::Status LookAtAll(const CatalogReader& reader, const Selection& selection,
                         const Uuid& excluded_keeper);
  // Looks at these picks again; the selection is as before.
  absl::Status Look(const CatalogReader& reader, const Selection& selection,
                    const Uuid& excluded_keeper, const absl::flat_hash_set<Uuid>& changed);

  const std::map<ShardId, Fingerprint>& sums() const { return sums_; }
  // What they add to the selection's fingerprint.
  absl::StatusOr<Fingerprint> Total() const;

 private:
  std::map<ShardId, Fingerprint> sums_;
  // What each update adds.
  absl::flat_hash_map<Uuid, std::vector<std::pair<ShardId, Digest>>> by_update_;
};

}  // namespace sluice
