#include "downstream/upstream_preview.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "downstream/counted_peer.h"
#include "downstream/from_above.h"
#include "downstream/item_comparison.h"
#include "downstream/record_comparison.h"
#include "downstream/shard_keys.h"
#include "downstream/upstream_check.h"
#include "storage/record_items.h"

namespace sluice {
namespace {

// The records that only one side has.
struct Sides {
  MemberList only_here;
  MemberList only_there;
};

// A fact, whatever its number, shard and stamp.
std::string FactOf(const ShardMember& member) {
  return absl::StrCat(SubjectOf(member.key).Encode(), "/", member.digest.view());
}

absl::StatusOr<Sides> CompareByKeys(const CatalogReader& reader, ParityPeer& peer,
                                    const std::vector<ShardId>& here,
                                    const std::vector<ShardId>& there) {
  Sides difference;
  absl::flat_hash_map<std::string, ShardMember> ours;
  RETURN_IF_ERROR(ForEachMember(reader, here, [&](const ShardId&, const ShardMember& member) {
    ours.emplace(FactOf(member), member);
  }));
  ASSIGN_OR_RETURN(const MemberList theirs, AskShardKeys(peer, there));
  for (const ShardMember& member : theirs) {
    if (ours.erase(FactOf(member)) == 0) difference.only_there.push_back(member);
  }
  for (auto& [fact, member] : ours) difference.only_here.push_back(std::move(member));
  return difference;
}

absl::StatusOr<Sides> Compare(const CatalogReader& reader, ParityPeer& peer, bool symbols,
                              const std::vector<ShardId>& here, const std::vector<ShardId>& there) {
  if (!symbols || here.empty() || there.empty()) return CompareByKeys(reader, peer, here, there);
  ItemComparison comparison(reader, here, there, {.scope = ItemScope::kFact, .brief = false});
  ItemComparison::Next next = comparison.Begin();
  while (next == ItemComparison::Next::kSend || next == ItemComparison::Next::kWait) {
    if (next == ItemComparison::Next::kSend) {
      RETURN_IF_ERROR(peer.Send(comparison.request()));
    }
    ASSIGN_OR_RETURN(const v1::ReconcileResponse response, peer.Receive());
    ASSIGN_OR_RETURN(next, comparison.Take(response));
  }
  if (next == ItemComparison::Next::kGiveUp) return CompareByKeys(reader, peer, here, there);
  Sides difference;
  for (const auto& [shard, member] : comparison.only_here()) {
    difference.only_here.push_back(member);
  }
  for (const auto& [shard, member] : comparison.only_there()) {
    difference.only_there.push_back(member);
  }
  return difference;
}

// Whether this node keeps the same fact.
absl::StatusOr<bool> IsKeptHere(const CatalogReader& reader, const Uuid& self,
                                const ShardMember& theirs) {
  if (theirs.key.kind == v1::RECORD_KIND_REVISION) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(theirs.key.id));
    for (const RecordColumns& revision : revisions) {
      if (revision.header.digest() == theirs.digest.view()) return true;
    }
    return false;
  }
  const absl::StatusOr<RecordColumns> kept =
      reader.GetColumns({theirs.key.kind, theirs.key.id, 0, self});
  return kept.ok() && kept->header.digest() == theirs.digest.view();
}

int64_t DecisionsIn(const CatalogReader& reader, const ShardMember& member) {
  const absl::StatusOr<RecordColumns> policy = reader.GetColumns(member.key);
  if (!policy.ok()) return 0;
  return policy->header.decisions_size();
}

absl::Status Count(const CatalogReader& reader, const Uuid& self, const Sides& difference,
                   v1::UpstreamPreview& preview) {
  std::set<RecordKey> replaceable;
  for (const ShardMember& member : difference.only_here) {
    if (member.key.kind != v1::RECORD_KIND_REVISION) replaceable.insert(member.key);
  }
  std::set<RecordKey> replaced;
  for (const ShardMember& member : difference.only_there) {
    ASSIGN_OR_RETURN(const bool kept, IsKeptHere(reader, self, member));
    if (kept) {
      preview.set_records_same(preview.records_same() + 1);
    } else if (replaceable.contains(member.key)) {
      replaced.insert(member.key);
      preview.set_records_to_replace(preview.records_to_replace() + 1);
    } else {
      preview.set_records_to_fetch(preview.records_to_fetch() + 1);
    }
  }
  for (const ShardMember& member : difference.only_here) {
    // What a node that is no longer above held back is over.
    if (replaced.contains(member.key) || member.key.kind == v1::RECORD_KIND_SITE) continue;
    preview.set_records_to_keep(preview.records_to_keep() + 1);
    if (member.key.kind != v1::RECORD_KIND_POLICY) continue;
    preview.set_decisions_to_keep(preview.decisions_to_keep() + DecisionsIn(reader, member));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::UpstreamPreview> PreviewUpstream(const Catalog& catalog, ParityPeer& uncounted) {
  CountedPeer peer(uncounted);
  ASSIGN_OR_RETURN(const v1::HelloResponse hello, peer.Hello());
  const Uuid& self = catalog.node_id();
  RETURN_IF_ERROR(CheckUpstream(hello, self));
  v1::UpstreamPreview preview;
  preview.set_node_id(Uuid::FromBytes(hello.node_id())->ToString());
  preview.set_node_name(hello.node_name());
  *preview.mutable_epoch() = hello.epoch();

  const CatalogReader reader = catalog.Read();
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  absl::flat_hash_map<ShardId, Fingerprint> ours;
  int64_t records_here = 0;
  for (const ShardInfo& shard : shards) {
    if (!ComesFromAbove(catalog, shard.definition)) continue;
    ours.emplace(shard.id, shard.fingerprint);
    records_here += static_cast<int64_t>(shard.fingerprint.count());
  }
  ASSIGN_OR_RETURN(const v1::ReconcileSums sums, peer.Sums());
  std::vector<ShardId> here;
  std::vector<ShardId> there;
  for (const v1::ShardSum& sum : sums.shards()) {
    if (!ComesFromAbove(catalog, sum.definition())) continue;
    const ShardId id = ShardId::Of(sum.definition());
    ASSIGN_OR_RETURN(const Fingerprint theirs, Fingerprint::FromProto(sum.fingerprint()));
    const auto mine = ours.find(id);
    if (mine == ours.end() || !(mine->second == theirs)) {
      if (mine != ours.end()) here.push_back(id);
      there.push_back(id);
    }
    if (mine != ours.end()) ours.erase(mine);
  }
  for (const auto& [id, unused] : ours) here.push_back(id);
  ASSIGN_OR_RETURN(const Sides difference, Compare(reader, peer, sums.symbols(), here, there));
  preview.set_records_same(records_here - static_cast<int64_t>(difference.only_here.size()));
  RETURN_IF_ERROR(Count(reader, self, difference, preview));
  preview.set_wire_bytes(peer.bytes());
  return preview;
}

}  // namespace sluice
