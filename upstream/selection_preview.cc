#include "upstream/selection_preview.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/category_ids.h"
#include "storage/closure.h"
#include "storage/picked_records.h"
#include "storage/selection.h"
#include "storage/selection_difference.h"

namespace sluice {
namespace {

constexpr int kNodesMax = 10'000;
constexpr int kLevelsMax = 8;

// The selection with the picks that it needs of what `reader` has.
absl::StatusOr<Selection> ExpandWithPicks(const CatalogReader& reader,
                                          v1::Subscription subscription) {
  ASSIGN_OR_RETURN(const Selection shards, Selection::Expand(reader, subscription));
  ASSIGN_OR_RETURN(const std::vector<Uuid> pins, PicksOf(subscription));
  ASSIGN_OR_RETURN(const std::vector<Uuid> picks, PicksFor(reader, shards, pins));
  SetPicks(picks, subscription);
  return Selection::Expand(reader, subscription);
}

// A path that one of the taken ones is, or is above of.
bool IsBelow(const std::string& path,
             const google::protobuf::RepeatedPtrField<std::string>& taken) {
  return std::any_of(taken.begin(), taken.end(), [&path](const std::string& above) {
    return path == above || absl::StartsWith(path, absl::StrCat(above, "/"));
  });
}

// A node below, and the subscriptions on the way to it, its own first.
struct Below {
  const v1::NodeStatus* status = nullptr;
  std::vector<const v1::Subscription*> path;
};

// Nodes below `self` that reported, children and theirs.
std::vector<Below> FindBelow(const std::vector<std::pair<std::string, v1::TreeNode>>& rows,
                             absl::string_view self) {
  absl::flat_hash_map<std::string, const v1::NodeStatus*> by_id;
  for (const auto& [key, node] : rows) by_id.emplace(node.status().node_id(), &node.status());
  std::vector<Below> found;
  for (const auto& [key, node] : rows) {
    Below below{&node.status(), {}};
    const v1::NodeStatus* at = &node.status();
    for (int level = 0; level < kLevelsMax; ++level) {
      below.path.push_back(&at->subscription());
      if (at->upstream_id() == self) {
        found.push_back(std::move(below));
        break;
      }
      const auto above = by_id.find(at->upstream_id());
      if (above == by_id.end()) break;
      at = above->second;
    }
  }
  return found;
}

// How many of `updates` a node below takes through all nodes on the way.
absl::StatusOr<int64_t> CountTaken(const CatalogReader& reader, const Below& below,
                                   const std::vector<Uuid>& updates) {
  std::vector<Selection> selections;
  for (const v1::Subscription* const subscription : below.path) {
    ASSIGN_OR_RETURN(Selection selection, Selection::Expand(reader, *subscription));
    selections.push_back(std::move(selection));
  }
  absl::flat_hash_map<ShardId, bool> taken_shards;
  int64_t count = 0;
  for (const Uuid& update : updates) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(update));
    bool taken = false;
    for (const RecordColumns& revision : revisions) {
      ASSIGN_OR_RETURN(const ShardId id, ShardId::FromBytes(revision.header.shard_id()));
      if (!taken_shards.contains(id)) {
        ASSIGN_OR_RETURN(const ShardInfo shard, reader.Shard(id));
        taken_shards[id] = std::all_of(
            selections.begin(), selections.end(),
            [&shard](const Selection& selection) { return selection.Matches(shard.definition); });
      }
      taken |= taken_shards[id];
    }
    taken |= std::all_of(selections.begin(), selections.end(), [&update](const Selection& each) {
      return each.picks().contains(update);
    });
    count += taken;
  }
  return count;
}

// Parts of what a node below wants that were to be had so far, and no longer will be.
absl::StatusOr<std::vector<std::string>> PartsLost(const CatalogReader& reader,
                                                   const v1::Subscription& wanted,
                                                   const v1::Subscription& before,
                                                   const v1::Subscription& after,
                                                   const std::vector<Uuid>& lost) {
  ASSIGN_OR_RETURN(const std::vector<std::string> missed, PartsNotTaken(reader, wanted, before));
  ASSIGN_OR_RETURN(std::vector<std::string> parts, PartsNotTaken(reader, wanted, after));
  std::erase_if(parts, [&missed](const std::string& part) {
    return std::find(missed.begin(), missed.end(), part) != missed.end();
  });
  ASSIGN_OR_RETURN(const std::vector<Uuid> pins, PicksOf(wanted));
  for (const Uuid& pin : pins) {
    if (!std::binary_search(lost.begin(), lost.end(), pin)) continue;
    parts.push_back(absl::StrCat("update ", pin.ToString()));
  }
  return parts;
}

absl::Status AddShortfalls(const CatalogReader& reader, const v1::Subscription& before,
                           const v1::Subscription& after, const std::vector<Uuid>& lost,
                           v1::SetSubscriptionResponse& response) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  for (const Below& below : FindBelow(rows, state.node_id())) {
    ASSIGN_OR_RETURN(const std::vector<std::string> parts,
                     PartsLost(reader, below.status->subscription(), before, after, lost));
    if (parts.empty()) continue;
    v1::ChildShortfall& shortfall = *response.add_shortfalls();
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(below.status->node_id()));
    shortfall.set_node_id(id.ToString());
    shortfall.set_node_name(below.status->name());
    shortfall.mutable_parts()->Add(parts.begin(), parts.end());
    ASSIGN_OR_RETURN(const int64_t updates, CountTaken(reader, below, lost));
    shortfall.set_updates_lost(updates);
  }
  return absl::OkStatus();
}

// Puts the upstream's half in, or why there is none.
absl::Status AddUpstreamHalf(const CatalogReader& reader, const v1::Subscription& present,
                             const v1::Subscription& intended, const PreviewSources& sources,
                             v1::SetSubscriptionResponse& response) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  v1::PreviewSelectionRequest request;
  request.set_node_id(state.node_id());
  request.set_mode(sources.mode);
  *request.mutable_present() = present;
  *request.mutable_intended() = intended;
  absl::StatusOr<v1::PreviewSelectionResponse> answer = sources.ask(request);
  if (answer.ok()) {
    response.mutable_difference()->MergeFrom(answer->difference());
    *response.mutable_not_taken_upstream() = std::move(*answer->mutable_not_taken_here());
    // What goes is said by what is here.
    v1::SelectionDifference& difference = *response.mutable_difference();
    difference.clear_updates_lost();
    difference.clear_titles_lost();
    difference.clear_bytes_to_free();
    difference.clear_approvals_inactive();
    return absl::OkStatus();
  }
  response.set_upstream_reason(ReasonName(ReasonOf(answer.status())));
  response.set_upstream_message(std::string(answer.status().message()));
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  ASSIGN_OR_RETURN(const std::vector<std::string> parts,
                   PartsNotTaken(reader, intended, above.subscription()));
  response.mutable_not_taken_upstream()->Add(parts.begin(), parts.end());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::PreviewSelectionResponse> PreviewSelection(
    const CatalogReader& reader, const v1::PreviewSelectionRequest& request) {
  ASSIGN_OR_RETURN(const Uuid child, Uuid::FromBytes(request.node_id()));
  ASSIGN_OR_RETURN(const Selection before, Selection::Expand(reader, request.present()));
  ASSIGN_OR_RETURN(const Selection after, ExpandWithPicks(reader, request.intended()));
  ASSIGN_OR_RETURN(const UpdateDifference difference,
                   CompareSelections(reader, before, after, child));
  v1::PreviewSelectionResponse response;
  v1::SelectionDifference& description = *response.mutable_difference();
  const bool decisions = request.mode() != v1::NODE_MODE_AUTONOMOUS;
  RETURN_IF_ERROR(DescribeGained(reader, difference, after, decisions, description));
  // Which files the child has, it knows itself.
  RETURN_IF_ERROR(DescribeLost(
      reader, difference, [](const ContentInfo& /*file*/) { return false; }, description));
  ASSIGN_OR_RETURN(const std::vector<std::string> unmatched,
                   UnmatchedNames(reader, request.intended()));
  response.mutable_unmatched()->Add(unmatched.begin(), unmatched.end());
  ASSIGN_OR_RETURN(const v1::Subscription own, ReadSubscription(reader));
  ASSIGN_OR_RETURN(const std::vector<std::string> parts,
                   PartsNotTaken(reader, request.intended(), own));
  response.mutable_not_taken_here()->Add(parts.begin(), parts.end());
  for (const std::string& bytes : request.intended().update_ids()) {
    ASSIGN_OR_RETURN(const Uuid pin, Uuid::FromBytes(bytes));
    if (reader.CurrentRevision(pin).ok()) continue;
    response.add_not_taken_here(absl::StrCat("update ", pin.ToString()));
  }
  return response;
}

absl::Status PreviewSubscription(const CatalogReader& reader, const v1::Subscription& intended,
                                 const PreviewSources& sources,
                                 v1::SetSubscriptionResponse& response) {
  ASSIGN_OR_RETURN(const v1::Subscription present, ReadSubscription(reader));
  ASSIGN_OR_RETURN(const v1::Subscription in_force, ReadSubscriptionInForce(reader));
  RETURN_IF_ERROR(AddUpstreamHalf(reader, in_force, intended, sources, response));
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const Uuid self, Uuid::FromBytes(state.node_id()));
  ASSIGN_OR_RETURN(const Selection before, Selection::Expand(reader, in_force));
  ASSIGN_OR_RETURN(const Selection after, ExpandWithPicks(reader, intended));
  ASSIGN_OR_RETURN(const UpdateDifference difference,
                   CompareSelections(reader, before, after, self));
  RETURN_IF_ERROR(
      DescribeLost(reader, difference, sources.present, *response.mutable_difference()));
  return AddShortfalls(reader, present, intended, difference.lost, response);
}

absl::StatusOr<std::vector<std::string>> PartsNotTaken(const CatalogReader& reader,
                                                       const v1::Subscription& wanted,
                                                       const v1::Subscription& offered) {
  std::vector<std::string> parts;
  ASSIGN_OR_RETURN(const Selection selection, Selection::Expand(reader, offered));
  for (const std::string& path : wanted.products()) {
    v1::ShardDefinition shard;
    shard.add_product_ids(ProductIdOfPath(path).bytes());
    // By its name where it does not exist yet.
    if (selection.Matches(shard) || IsBelow(path, offered.products())) continue;
    parts.push_back(absl::StrCat("product ", path));
  }
  for (const std::string& name : wanted.classifications()) {
    v1::ShardDefinition shard;
    shard.set_classification_id(ClassificationIdOfName(name).bytes());
    if (!selection.Matches(shard)) parts.push_back(absl::StrCat("classification ", name));
  }
  for (const std::string& language : wanted.languages()) {
    v1::ShardDefinition shard;
    shard.add_languages(language);
    if (!selection.Matches(shard)) parts.push_back(absl::StrCat("language ", language));
  }
  return parts;
}

}  // namespace sluice
