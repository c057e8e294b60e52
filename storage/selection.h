// Selection: which shards, and which of their files, a subscription takes, given the products known
// here.
//
// A subscription names products, classifications and languages; expanding it adds the products
// below the named ones. What is taken is decided shard by shard from the shard's definition, so
// filtering never looks at a record's body. Beside whole shards it takes the records about single
// updates, whatever their shards: those are picked (docs/decisions/0010).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "common/digest.h"
#include "common/uuid.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "sluice/v1/record.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class Selection {
 public:
  // Expands `subscription` by the categories that `reader` sees, leaving out those that
  // `excluded_keeper` keeps: without its own kept ones a node sees them as its upstream does. An
  // autonomous node takes no POLICY from above.
  //
  // Errors:
  //   INVALID_ARGUMENT  malformed ids of updates, or more than 100,000.
  //   DATA_LOSS         the categories cannot be read.
  static absl::StatusOr<Selection> Expand(const CatalogReader& reader,
                                          const v1::Subscription& subscription,
                                          v1::NodeMode mode = v1::NODE_MODE_REPLICA,
                                          const Uuid& excluded_keeper = Uuid());

  // Whether all records of such a shard are taken. Records without product are for everybody, and
  // so is what nodes hold back.
  bool Matches(const v1::ShardDefinition& shard) const;

  // Whether the record is taken whatever its shard.
  bool Picks(const RecordKey& key) const;
  bool Takes(const v1::ShardDefinition& shard, const RecordKey& key) const {
    return Matches(shard) || Picks(key);
  }
  const absl::flat_hash_set<Uuid>& picks() const { return picks_; }
  // No product, classification or language is named.
  bool takes_all_shards() const {
    return !products_.has_value() && !classifications_.has_value() && !languages_.has_value();
  }

  // Whether a file for these languages is wanted; one for no language in particular always is.
  bool TakesFile(const google::protobuf::RepeatedPtrField<std::string>& languages) const;

  // Equal exactly when two selections take the same shards and pick the same updates.
  const Digest& hash() const { return hash_; }
  // Equal exactly when two selections take the same shards.
  const Digest& shards_hash() const { return shards_hash_; }

 private:
  using IdSet = absl::flat_hash_set<std::string>;  // 16-byte ids.

  // None: everything.
  std::optional<IdSet> products_;
  std::optional<IdSet> classifications_;
  std::optional<absl::flat_hash_set<std::string>> languages_;
  bool takes_policy_ = true;
  absl::flat_hash_set<Uuid> picks_;
  Digest shards_hash_;
  Digest hash_;
};

// As Subscription.update_ids.
inline constexpr int kPicksMax = 100'000;

// The ids of a subscription's `update_ids`. Errors: INVALID_ARGUMENT malformed, or too many.
absl::StatusOr<std::vector<Uuid>> PicksOf(const v1::Subscription& subscription);
// Sets them, sorted.
void SetPicks(const std::vector<Uuid>& picks, v1::Subscription& subscription);

// Whether `node` has such a shard from itself and not from above: what it keeps, and what it holds
// back. No comparison with the node above counts these.
bool IsOwnOf(const v1::ShardDefinition& shard, const Uuid& node);

// What the shards add up to that `selection` takes, leaving out those that are `excluded`'s own:
// the count of their records, and the sum of a hash of each shard's id and sum. Each record in its
// shard, that is: one that moves from shard to shard shows too. Of a shard that is not taken whole
// its picked records count as the shard.
absl::StatusOr<Fingerprint> SelectionFingerprint(const CatalogReader& reader,
                                                 const Selection& selection, const Uuid& excluded);
// The same without what is picked (storage/picked_records.h).
absl::StatusOr<Fingerprint> ShardsFingerprint(const CatalogReader& reader,
                                              const Selection& selection, const Uuid& excluded);

// Whether the records of a shard count in that fingerprint, and what they add to it: their count,
// and a hash of the shard's id and sum. Nothing when there are none.
bool CountsIn(const Selection& selection, const v1::ShardDefinition& shard, const Uuid& excluded);
absl::StatusOr<Fingerprint> PlacedInShard(const ShardId& id, const Fingerprint& fingerprint);
// The same for shards that are given.
absl::StatusOr<Fingerprint> FingerprintOfShards(const std::vector<ShardInfo>& shards);

// The names in `subscription` that match no category here, for an operator's eyes: it may be a name
// that does not exist yet.
absl::StatusOr<std::vector<std::string>> UnmatchedNames(const CatalogReader& reader,
                                                        const v1::Subscription& subscription);

// Where the subscription of this node is kept: Family::kSettings.
inline constexpr absl::string_view kSubscriptionSetting = "subscription";
// Where the upstream's last answer to `Hello` is kept, a v1::HelloResponse: who is above, and what
// it takes. Family::kSettings.
inline constexpr absl::string_view kUpstreamHelloSetting = "upstream_hello";

// The upstream's last answer to `Hello`; an empty one when there was none.
absl::StatusOr<v1::HelloResponse> ReadUpstreamHello(const CatalogReader& reader);

// This node's subscription as its operators set it; that of everything when none was set.
absl::StatusOr<v1::Subscription> ReadSubscription(const CatalogReader& reader);

// Where the updates are kept that this node picks from its upstream now: its pins and what these
// and the selection need (storage/closure.h). A v1::Subscription. Family::kSettings.
inline constexpr absl::string_view kPicksSetting = "picks";

// What this node has told its upstream that it takes: the subscription, with the updates that it
// picks now.
absl::StatusOr<v1::Subscription> ReadSubscriptionInForce(const CatalogReader& reader);

}  // namespace sluice
