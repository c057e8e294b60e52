#include "upstream/update_places.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/acknowledgements.h"
#include "storage/own_acknowledgements.h"
#include "storage/own_place.h"
#include "storage/root_cursor.h"
#include "storage/selection.h"
#include "upstream/reported_place.h"

namespace sluice {
namespace {

absl::Time ToTime(bool is_set, const google::protobuf::Timestamp& timestamp) {
  if (!is_set) return absl::InfinitePast();
  return absl::FromUnixMicros(google::protobuf::util::TimeUtil::TimestampToMicroseconds(timestamp));
}

// What subscriptions make of one shard; each kind is expanded once.
class ShardTaker {
 public:
  struct Answer {
    Taken taken = Taken::kUnknown;
    std::string left_out;
  };

  // None: the update is not here, and nothing can be told.
  ShardTaker(const CatalogReader& reader, const Uuid& update_id,
             std::optional<v1::ShardDefinition> shard)
      : reader_(reader), update_id_(update_id.bytes()), shard_(std::move(shard)) {}

  absl::StatusOr<Answer> Ask(const v1::Subscription& subscription) {
    if (!shard_.has_value()) return Answer();
    const std::string key = subscription.SerializeAsString();
    if (const auto known = answers_.find(key); known != answers_.end()) return known->second;
    ASSIGN_OR_RETURN(Answer answer, Look(subscription));
    return answers_[key] = std::move(answer);
  }

 private:
  absl::StatusOr<Answer> Look(const v1::Subscription& subscription) const {
    const auto& picked = subscription.update_ids();
    if (std::binary_search(picked.begin(), picked.end(), update_id_)) return Answer{Taken::kTaken};
    v1::Subscription products;
    *products.mutable_products() = subscription.products();
    ASSIGN_OR_RETURN(const bool by_product, Matches(products));
    if (!by_product) return Answer{Taken::kNotProduct, Paths(shard_->product_ids())};
    v1::Subscription classifications;
    *classifications.mutable_classifications() = subscription.classifications();
    ASSIGN_OR_RETURN(const bool by_classification, Matches(classifications));
    if (!by_classification) {
      google::protobuf::RepeatedPtrField<std::string> id;
      *id.Add() = shard_->classification_id();
      return Answer{Taken::kNotClassification, Paths(id)};
    }
    v1::Subscription languages;
    *languages.mutable_languages() = subscription.languages();
    ASSIGN_OR_RETURN(const bool by_language, Matches(languages));
    if (!by_language) return Answer{Taken::kNotLanguage, absl::StrJoin(shard_->languages(), ", ")};
    return Answer{Taken::kTaken};
  }

  absl::StatusOr<bool> Matches(const v1::Subscription& part) const {
    ASSIGN_OR_RETURN(const Selection selection, Selection::Expand(reader_, part));
    return selection.Matches(*shard_);
  }

  std::string Paths(const google::protobuf::RepeatedPtrField<std::string>& category_ids) const {
    std::vector<std::string> paths;
    for (const std::string& bytes : category_ids) {
      const absl::StatusOr<Uuid> id = Uuid::FromBytes(bytes);
      if (!id.ok()) continue;
      const absl::StatusOr<RecordColumns> category =
          reader_.GetColumns({v1::RECORD_KIND_CATEGORY, *id, 0, {}});
      paths.push_back(category.ok() ? category->header.path() : id->ToString());
    }
    return absl::StrJoin(paths, ", ");
  }

  const CatalogReader& reader_;
  const std::string update_id_;
  const std::optional<v1::ShardDefinition> shard_;
  std::map<std::string, Answer> answers_;
};

// This node's own place, with the times at which it came so far.
absl::StatusOr<PlaceFacts> PlaceHere(const CatalogReader& reader, const Uuid& update_id,
                                     const v1::TreeNode& self,
                                     const std::function<bool(const ContentInfo&)>& present,
                                     absl::Time now) {
  ASSIGN_OR_RETURN(const v1::Subscription subscription, ReadSubscription(reader));
  ASSIGN_OR_RETURN(const Selection selection, Selection::Expand(reader, subscription));
  ASSIGN_OR_RETURN(PlaceFacts facts, OwnPlace(reader, update_id, selection, present, now));
  facts.node_id = self.node_id();
  facts.node_name = self.status().name().empty() ? self.node_id() : self.status().name();
  ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(self.status().node_id()));
  ASSIGN_OR_RETURN(const v1::UpdateAcknowledgement said,
                   ReadAcknowledgement(reader, id, update_id));
  facts.metadata_at = ToTime(said.has_metadata_at(), said.metadata_at());
  facts.decision_at = ToTime(said.has_decision_at(), said.decision_at());
  facts.content_at = ToTime(said.has_content_at(), said.content_at());
  facts.visible_at = ToTime(said.has_visible_at(), said.visible_at());
  return facts;
}

v1::Stage StageOf(v1::StageState state, absl::Time since) {
  v1::Stage stage;
  stage.set_state(state);
  if (state == v1::STAGE_STATE_REACHED && since != absl::InfinitePast()) {
    *stage.mutable_since() =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(since));
  }
  return stage;
}

v1::StageState StateOf(Known reached, bool wanted) {
  if (reached == Known::kYes) return v1::STAGE_STATE_REACHED;
  if (!wanted) return v1::STAGE_STATE_NOT_WANTED;
  return reached == Known::kNo ? v1::STAGE_STATE_NOT_YET : v1::STAGE_STATE_UNKNOWN;
}

}  // namespace

absl::StatusOr<UpdatePlaces> UpdatePlaces::Make(
    const CatalogReader& reader, const Uuid& update_id, std::vector<v1::TreeNode> nodes,
    const std::function<bool(const ContentInfo&)>& present, absl::Time now) {
  UpdatePlaces places;
  places.nodes_ = std::move(nodes);
  const v1::NodeStatus& self = places.nodes_.front().status();
  ASSIGN_OR_RETURN(PlaceFacts here,
                   PlaceHere(reader, update_id, places.nodes_.front(), present, now));
  bool spoken_of = here.metadata == Known::kYes || here.decided == Known::kYes;
  places.facts_.push_back(std::move(here));

  std::optional<v1::ShardDefinition> shard;
  uint64_t seq = 0;
  const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update_id);
  if (current.ok()) {
    places.title_ = current->header.title();
    seq = current->header.seq();
    ASSIGN_OR_RETURN(const ShardId shard_id, ShardId::FromBytes(current->header.shard_id()));
    ASSIGN_OR_RETURN(const ShardInfo info, reader.Shard(shard_id));
    shard = info.definition;
  }
  ShardTaker taker(reader, update_id, std::move(shard));
  ASSIGN_OR_RETURN(const std::optional<v1::Cursor> root, ReadRootCursor(reader));
  ASSIGN_OR_RETURN(const std::string decisions, DigestOfDecisions(reader, update_id));
  std::map<std::string, size_t> index_of = {{self.node_id(), 0}};
  for (size_t i = 1; i < places.nodes_.size(); ++i) {
    const v1::TreeNode& node = places.nodes_[i];
    const v1::NodeStatus& status = node.status();
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(status.node_id()));
    ASSIGN_OR_RETURN(const v1::UpdateAcknowledgement said,
                     ReadAcknowledgement(reader, id, update_id));
    ASSIGN_OR_RETURN(const ShardTaker::Answer answer, taker.Ask(status.subscription()));
    spoken_of |= !said.policy_digest().empty();
    const Known followed =
        seq == 0 ? Known::kUnknown : FollowedBeyond(status, self, root.value_or(v1::Cursor()), seq);
    PlaceFacts facts =
        ReportedPlace({.own = places.facts_.front(),
                       .parent = places.facts_[index_of[status.upstream_id()]],
                       .node = node,
                       .acknowledgement = said,
                       .same_decisions = !decisions.empty() && said.policy_digest() == decisions,
                       .followed = followed,
                       .taken = answer.taken,
                       .left_out = answer.left_out},
                      now);
    places.facts_.push_back(std::move(facts));
    index_of.emplace(status.node_id(), i);
  }
  if (!spoken_of) {
    return MakeError(v1::REASON_ITEM_NOT_FOUND,
                     absl::StrCat("update ", update_id.ToString(),
                                  " is not here, and no node below spoke of it"));
  }
  return places;
}

v1::UpdatePlace UpdatePlaces::PlaceAt(size_t index) const {
  const v1::TreeNode& node = nodes_[index];
  const PlaceFacts& facts = facts_[index];
  const PlaceExplanation explanation = ExplainPlace(facts);
  const bool takes_it = facts.metadata == Known::kYes || facts.taken == Taken::kTaken ||
                        facts.taken == Taken::kUnknown;
  const bool approvable =
      takes_it && facts.declined != Known::kYes && facts.approval != Approval::kNotApproved;
  v1::UpdatePlace place;
  place.set_node_id(facts.node_id);
  place.set_node_name(facts.node_name);
  place.set_depth(node.depth());
  *place.mutable_metadata() = StageOf(StateOf(facts.metadata, takes_it), facts.metadata_at);
  *place.mutable_decision() = StageOf(StateOf(facts.decided, takes_it), facts.decision_at);
  *place.mutable_content() = StageOf(StateOf(facts.content, approvable), facts.content_at);
  const v1::ExplainStep* const stopped =
      explanation.decided_by.has_value() ? &explanation.steps[*explanation.decided_by] : nullptr;
  Known visible = Known::kYes;
  if (stopped != nullptr) visible = stopped->unknown() ? Known::kUnknown : Known::kNo;
  // What a silent node offered when it was last heard of, it is said to offer.
  if (facts.visible_at != absl::InfinitePast()) visible = Known::kYes;
  *place.mutable_visible() = StageOf(StateOf(visible, approvable), facts.visible_at);
  place.set_files_missing(facts.files_missing);
  if (stopped != nullptr) {
    place.set_waits_for(stopped->reason());
    place.set_detail(stopped->words());
  }
  if (node.has_heard_at()) *place.mutable_heard_at() = node.heard_at();
  return place;
}

absl::StatusOr<v1::ExplainResponse> UpdatePlaces::Explain(absl::string_view node) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (node == nodes_[i].node_id() || node == nodes_[i].status().name()) found.push_back(i);
  }
  if (node.empty()) found = {0};
  if (found.empty()) {
    return MakeError(v1::REASON_ITEM_NOT_FOUND,
                     absl::StrCat("there is no node \"", node, "\" at or below this one"));
  }
  if (found.size() > 1) {
    return InvalidRequest({{"node", absl::StrCat("names ", found.size(), " nodes; give its id")}});
  }
  // Each parent is the nearest node before it that is one level higher.
  std::vector<PlaceFacts> path;
  for (size_t i = found.front() + 1, depth = i; i-- > 0;) {
    const auto at = static_cast<size_t>(nodes_[i].depth());
    if (path.empty() || at + 1 == depth) {
      path.push_back(facts_[i]);
      depth = at;
    }
  }
  std::reverse(path.begin(), path.end());
  v1::ExplainResponse response = ExplainPath(path);
  response.set_title(title_);
  return response;
}

}  // namespace sluice
