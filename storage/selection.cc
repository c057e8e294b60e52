#include "storage/selection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/category_ids.h"
#include "storage/picked_records.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;

absl::StatusOr<std::vector<RecordColumns>> ReadCategories(const CatalogReader& reader,
                                                          const Uuid& excluded_keeper) {
  std::vector<RecordColumns> categories;
  std::string after;
  while (true) {
    ASSIGN_OR_RETURN(std::vector<RecordColumns> page,
                     reader.List(v1::RECORD_KIND_CATEGORY, after, kPage));
    if (page.empty()) return categories;
    after = page.back().key.Encode();
    std::erase_if(page, [&excluded_keeper](const RecordColumns& category) {
      return category.key.kept() && category.key.kept_by == excluded_keeper;
    });
    std::move(page.begin(), page.end(), std::back_inserter(categories));
  }
}

// Adds to `ids` everything below them. Parents may be listed after their children, so it goes on
// until nothing is added.
void AddDescendants(const std::vector<RecordColumns>& categories,
                    absl::flat_hash_set<std::string>& ids) {
  bool grew = true;
  while (grew) {
    grew = false;
    for (const RecordColumns& category : categories) {
      if (ids.contains(category.header.parent_id())) {
        grew |= ids.insert(category.key.id.bytes()).second;
      }
    }
  }
}

// Appends a set unambiguously: whether it is there, its size, and its members in order with their
// lengths.
template <typename Set>
void HashSet(const std::optional<Set>& set, Hasher& hasher) {
  if (!set.has_value()) {
    hasher.Update("all;");
    return;
  }
  std::vector<std::string> members(set->begin(), set->end());
  std::sort(members.begin(), members.end());
  hasher.Update(absl::StrCat(members.size(), ";"));
  for (const std::string& member : members) {
    hasher.Update(absl::StrCat(member.size(), ":")).Update(member);
  }
}

// Without picks the hash is that of the shards alone. `picks` are sorted.
Digest HashWithPicks(const Digest& shards_hash, const std::vector<Uuid>& picks) {
  if (picks.empty()) return shards_hash;
  Hasher hasher;
  hasher.Update(shards_hash.view());
  for (const Uuid& update : picks) hasher.Update(update.view());
  return hasher.Finish();
}

}  // namespace

absl::StatusOr<std::vector<Uuid>> PicksOf(const v1::Subscription& subscription) {
  if (subscription.update_ids_size() > kPicksMax) {
    return InvalidRequest(
        {{"subscription.update_ids", absl::StrCat("holds more than ", kPicksMax)}});
  }
  std::vector<Uuid> picks;
  picks.reserve(static_cast<size_t>(subscription.update_ids_size()));
  for (const std::string& bytes : subscription.update_ids()) {
    const absl::StatusOr<Uuid> id = Uuid::FromBytes(bytes);
    if (!id.ok()) {
      return InvalidRequest({{"subscription.update_ids", std::string(id.status().message())}});
    }
    picks.push_back(*id);
  }
  std::sort(picks.begin(), picks.end());
  picks.erase(std::unique(picks.begin(), picks.end()), picks.end());
  return picks;
}

void SetPicks(const std::vector<Uuid>& picks, v1::Subscription& subscription) {
  subscription.clear_update_ids();
  for (const Uuid& update : picks) subscription.add_update_ids(update.bytes());
}

absl::StatusOr<Selection> Selection::Expand(const CatalogReader& reader,
                                            const v1::Subscription& subscription, v1::NodeMode mode,
                                            const Uuid& excluded_keeper) {
  Selection selection;
  selection.takes_policy_ = mode != v1::NODE_MODE_AUTONOMOUS;
  if (!subscription.products().empty()) {
    IdSet products;
    for (const std::string& path : subscription.products()) {
      products.insert(ProductIdOfPath(path).bytes());
    }
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> categories,
                     ReadCategories(reader, excluded_keeper));
    AddDescendants(categories, products);
    selection.products_ = std::move(products);
  }
  if (!subscription.classifications().empty()) {
    IdSet classifications;
    for (const std::string& name : subscription.classifications()) {
      classifications.insert(ClassificationIdOfName(name).bytes());
    }
    selection.classifications_ = std::move(classifications);
  }
  if (!subscription.languages().empty()) {
    selection.languages_.emplace(subscription.languages().begin(), subscription.languages().end());
  }
  Hasher hasher;
  HashSet(selection.products_, hasher);
  HashSet(selection.classifications_, hasher);
  HashSet(selection.languages_, hasher);
  if (!selection.takes_policy_) hasher.Update("no policy;");
  selection.shards_hash_ = hasher.Finish();
  ASSIGN_OR_RETURN(const std::vector<Uuid> picks, PicksOf(subscription));
  selection.picks_.insert(picks.begin(), picks.end());
  selection.hash_ = HashWithPicks(selection.shards_hash_, picks);
  return selection;
}

bool Selection::Picks(const RecordKey& key) const {
  const bool about_update = key.kind == v1::RECORD_KIND_REVISION ||
                            key.kind == v1::RECORD_KIND_EXPIRY ||
                            (key.kind == v1::RECORD_KIND_POLICY && takes_policy_);
  return about_update && picks_.contains(key.id);
}

bool Selection::Matches(const v1::ShardDefinition& shard) const {
  if (shard.stream() == v1::STREAM_KIND_POLICY && !takes_policy_) return false;
  if (shard.always() || shard.stream() == v1::STREAM_KIND_SITE) return true;
  const auto selected = [](const std::optional<IdSet>& set, const std::string& id) {
    return !set.has_value() || set->contains(id);
  };
  const bool product = shard.product_ids().empty() ||
                       std::any_of(shard.product_ids().begin(), shard.product_ids().end(),
                                   [&](const std::string& id) { return selected(products_, id); });
  const bool classification =
      shard.classification_id().empty() || selected(classifications_, shard.classification_id());
  return product && classification && TakesFile(shard.languages());
}

bool IsOwnOf(const v1::ShardDefinition& shard, const Uuid& node) {
  return shard.kept_by() == node.view() || shard.site_node_id() == node.view();
}

bool Selection::TakesFile(const google::protobuf::RepeatedPtrField<std::string>& languages) const {
  return !languages_.has_value() || languages.empty() ||
         std::any_of(languages.begin(), languages.end(), [this](const std::string& language) {
           return languages_->contains(language);
         });
}

bool CountsIn(const Selection& selection, const v1::ShardDefinition& shard, const Uuid& excluded) {
  return !IsOwnOf(shard, excluded) && selection.Matches(shard);
}

absl::StatusOr<Fingerprint> PlacedInShard(const ShardId& id, const Fingerprint& fingerprint) {
  if (fingerprint.count() == 0) return Fingerprint();
  v1::Fingerprint placed = fingerprint.ToProto();
  placed.set_sum(Digest::Of(absl::StrCat(id.view(), placed.sum())).bytes());
  return Fingerprint::FromProto(placed);
}

absl::StatusOr<Fingerprint> SelectionFingerprint(const CatalogReader& reader,
                                                 const Selection& selection, const Uuid& excluded) {
  ASSIGN_OR_RETURN(Fingerprint total, ShardsFingerprint(reader, selection, excluded));
  PickedSums picked;
  RETURN_IF_ERROR(picked.LookAtAll(reader, selection, excluded));
  ASSIGN_OR_RETURN(const Fingerprint picks, picked.Total());
  total.Add(picks);
  return total;
}

absl::StatusOr<Fingerprint> ShardsFingerprint(const CatalogReader& reader,
                                              const Selection& selection, const Uuid& excluded) {
  ASSIGN_OR_RETURN(std::vector<ShardInfo> shards, reader.Shards());
  std::erase_if(shards, [&](const ShardInfo& shard) {
    return !CountsIn(selection, shard.definition, excluded);
  });
  return FingerprintOfShards(shards);
}

absl::StatusOr<Fingerprint> FingerprintOfShards(const std::vector<ShardInfo>& shards) {
  Fingerprint total;
  for (const ShardInfo& shard : shards) {
    ASSIGN_OR_RETURN(const Fingerprint placed, PlacedInShard(shard.id, shard.fingerprint));
    total.Add(placed);
  }
  return total;
}

absl::StatusOr<std::vector<std::string>> UnmatchedNames(const CatalogReader& reader,
                                                        const v1::Subscription& subscription) {
  std::vector<std::string> unmatched;
  const auto check = [&](const Uuid& id, const std::string& name) -> absl::Status {
    const absl::StatusOr<RecordColumns> found =
        reader.GetColumns({v1::RECORD_KIND_CATEGORY, id, 0, {}});
    if (absl::IsNotFound(found.status())) unmatched.push_back(name);
    return absl::IsNotFound(found.status()) ? absl::OkStatus() : found.status();
  };
  for (const std::string& path : subscription.products()) {
    RETURN_IF_ERROR(check(ProductIdOfPath(path), path));
  }
  for (const std::string& name : subscription.classifications()) {
    RETURN_IF_ERROR(check(ClassificationIdOfName(name), name));
  }
  return unmatched;
}

absl::StatusOr<v1::Subscription> ReadSubscription(const CatalogReader& reader) {
  absl::StatusOr<v1::Subscription> subscription =
      reader.GetRow<v1::Subscription>(Family::kSettings, kSubscriptionSetting);
  if (absl::IsNotFound(subscription.status())) return v1::Subscription();
  return subscription;
}

absl::StatusOr<v1::Subscription> ReadSubscriptionInForce(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(v1::Subscription subscription, ReadSubscription(reader));
  subscription.clear_update_ids();
  absl::StatusOr<v1::Subscription> picks =
      reader.GetRow<v1::Subscription>(Family::kSettings, kPicksSetting);
  if (absl::IsNotFound(picks.status())) return subscription;
  if (!picks.ok()) return picks.status();
  *subscription.mutable_update_ids() = std::move(*picks->mutable_update_ids());
  return subscription;
}

absl::StatusOr<v1::HelloResponse> ReadUpstreamHello(const CatalogReader& reader) {
  absl::StatusOr<v1::HelloResponse> hello =
      reader.GetRow<v1::HelloResponse>(Family::kSettings, kUpstreamHelloSetting);
  if (absl::IsNotFound(hello.status())) return v1::HelloResponse();
  return hello;
}

}  // namespace sluice
