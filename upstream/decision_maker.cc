#include "upstream/decision_maker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/category_ids.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr int kUpdatesMax = 1000;
constexpr int kGroupsMax = 10'000;
constexpr size_t kGroupNameBytesMax = 128;
constexpr size_t kCommentBytesMax = 1024;

absl::Status CheckCommon(int updates, const std::string& comment) {
  if (updates == 0) return InvalidRequest({{"update_ids", "is empty"}});
  if (updates > kUpdatesMax) {
    return InvalidRequest(
        {{"update_ids", absl::StrCat("holds ", updates, "; the limit is ", kUpdatesMax)}});
  }
  if (comment.size() > kCommentBytesMax) return InvalidRequest({{"comment", "is over 1 KiB"}});
  return absl::OkStatus();
}

void SetStatus(const absl::Status& status, v1::ItemStatus& item) {
  item.set_code(static_cast<int>(status.code()));
  if (status.ok()) return;
  item.set_reason(ReasonName(ReasonOf(status)));
  item.set_message(std::string(status.message()));
}

// What an operator who approves should know.
void WarnOfApproval(const UpdateStanding& standing, const WantedFiles& closure,
                    v1::DecisionResult& result) {
  if (standing.declined()) {
    result.add_warnings("is declined; clear that first to offer it");
  }
  if (standing.expiry.has_value()) {
    result.add_warnings(
        absl::StrCat("is expired at its source: ", standing.expiry->header.title()));
  }
  for (const Uuid& absent : closure.absent) {
    result.add_warnings(absl::StrCat("needs update ", absent.ToString(), ", which is not here"));
  }
}

// The shard of an update's policy: that of its current revision, or, where that has left, the one
// that the policy was in then.
absl::StatusOr<v1::ShardDefinition> PolicyShard(const CatalogReader& reader, const Uuid& update,
                                                const UpdateStanding& standing) {
  std::string place;
  if (standing.current.has_value()) {
    place = standing.current->header.shard_id();
  } else {
    ASSIGN_OR_RETURN(const RecordColumns policy,
                     reader.GetColumns({v1::RECORD_KIND_POLICY, update, 0, {}}));
    place = policy.header.shard_id();
  }
  ASSIGN_OR_RETURN(const ShardId id, ShardId::FromBytes(place));
  ASSIGN_OR_RETURN(ShardInfo shard, reader.Shard(id));
  // The revision may be kept; what is decided about it is not.
  shard.definition.clear_kept_by();
  return ShardInStream(std::move(shard.definition), v1::STREAM_KIND_POLICY);
}

absl::Status CheckHere(const UpdateStanding& standing, absl::string_view update_id) {
  if (standing.current.has_value()) return absl::OkStatus();
  return MakeError(v1::REASON_ITEM_NOT_FOUND, absl::StrCat("update ", update_id, " is not here"));
}

}  // namespace

absl::StatusOr<std::vector<RecordColumns>> AllGroups(const CatalogReader& reader) {
  return reader.List(v1::RECORD_KIND_TARGET_GROUP, "", kGroupsMax);
}

absl::StatusOr<RecordColumns> FindGroup(const CatalogReader& reader, absl::string_view name_or_id) {
  const std::string wanted(name_or_id.empty() ? kAllComputersGroup : name_or_id);
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> groups, AllGroups(reader));
  std::vector<std::string> names;
  for (const RecordColumns& group : groups) {
    if (group.header.title() == wanted || group.key.id.ToString() == wanted) return group;
    names.push_back(group.header.title());
  }
  return MakeError(
      v1::REASON_ITEM_NOT_FOUND,
      absl::StrCat("there is no group \"", wanted, "\"; there are: ", absl::StrJoin(names, ", ")));
}

absl::Status DecisionMaker::CreateBuiltInGroups() {
  v1::TargetGroup group;
  group.set_group_id(GroupIdOfName(kAllComputersGroup).bytes());
  group.set_name(std::string(kAllComputersGroup));
  ASSIGN_OR_RETURN(CheckedRecord packed, PackTargetGroup(group));
  CatalogChange change;
  change.Originate(std::move(packed));
  return catalog_.Commit(change).status();
}

absl::StatusOr<v1::ApproveUpdatesResponse> DecisionMaker::Approve(
    const CallContext& context, const v1::ApproveUpdatesRequest& request) {
  RETURN_IF_ERROR(CheckCommon(request.update_ids_size(), request.comment()));
  ASSIGN_OR_RETURN(const RecordColumns group, FindGroup(catalog_.Read(), request.group()));
  std::string revision_digest;
  if (!request.revision_digest().empty()) {
    const absl::StatusOr<Digest> digest = Digest::Parse(request.revision_digest());
    if (!digest.ok()) {
      return InvalidRequest({{"revision_digest", std::string(digest.status().message())}});
    }
    if (request.update_ids_size() != 1) {
      return InvalidRequest({{"revision_digest", "goes with a single update only"}});
    }
    revision_digest = digest->bytes();
  }
  v1::ApproveUpdatesResponse response;
  for (const std::string& id : request.update_ids()) {
    const auto plan = [&](const UpdateStanding& standing,
                          v1::DecisionResult& result) -> absl::StatusOr<Plan> {
      RETURN_IF_ERROR(CheckHere(standing, id));
      v1::Decision decision;
      decision.set_key(ApprovalKey(group.key.id));
      decision.set_action(request.action() == v1::APPROVAL_ACTION_UNSPECIFIED
                              ? v1::APPROVAL_ACTION_INSTALL
                              : request.action());
      if (request.has_deadline()) *decision.mutable_deadline() = request.deadline();
      decision.set_revision_digest(revision_digest);
      decision.set_comment(request.comment());
      const CatalogReader reader = catalog_.Read();
      ASSIGN_OR_RETURN(const Selection everything, Selection::Expand(reader, {}));
      ASSIGN_OR_RETURN(const WantedFiles closure,
                       ClosureOf(reader, standing.current->key, everything));
      WarnOfApproval(standing, closure, result);
      return Plan{decision};
    };
    *response.add_results() = Decide(context, "approve", id, request.validate_only(), plan);
  }
  return response;
}

absl::StatusOr<v1::DeclineUpdatesResponse> DecisionMaker::Decline(
    const CallContext& context, const v1::DeclineUpdatesRequest& request) {
  RETURN_IF_ERROR(CheckCommon(request.update_ids_size(), request.comment()));
  v1::DeclineUpdatesResponse response;
  for (const std::string& id : request.update_ids()) {
    const auto plan = [&](const UpdateStanding& standing,
                          v1::DecisionResult&) -> absl::StatusOr<Plan> {
      RETURN_IF_ERROR(CheckHere(standing, id));
      v1::Decision decision;
      decision.set_key(std::string(kDeclineKey));
      decision.set_comment(request.comment());
      return Plan{decision};
    };
    *response.add_results() = Decide(context, "decline", id, request.validate_only(), plan);
  }
  return response;
}

absl::StatusOr<v1::ClearDecisionsResponse> DecisionMaker::Clear(
    const CallContext& context, const v1::ClearDecisionsRequest& request) {
  RETURN_IF_ERROR(CheckCommon(request.update_ids_size(), request.comment()));
  std::string approval_key;
  if (!request.group().empty()) {
    ASSIGN_OR_RETURN(const RecordColumns group, FindGroup(catalog_.Read(), request.group()));
    approval_key = ApprovalKey(group.key.id);
  }
  const bool all = approval_key.empty() && !request.decline();
  v1::ClearDecisionsResponse response;
  for (const std::string& id : request.update_ids()) {
    const auto plan = [&](const UpdateStanding& standing,
                          v1::DecisionResult&) -> absl::StatusOr<Plan> {
      Plan cleared;
      for (const StandingDecision& decision : standing.decisions) {
        const std::string& key = decision.decision.key();
        const bool meant = all || key == approval_key || (request.decline() && key == kDeclineKey);
        if (!meant) continue;
        v1::Decision& clear = cleared.emplace_back();
        clear.set_key(key);
        clear.set_cleared(true);
        clear.set_comment(request.comment());
      }
      return cleared;
    };
    *response.add_results() = Decide(context, "clear", id, request.validate_only(), plan);
  }
  return response;
}

v1::DecisionResult DecisionMaker::Decide(
    const CallContext& context, absl::string_view action, const std::string& update_id,
    bool validate_only,
    const std::function<absl::StatusOr<Plan>(const UpdateStanding&, v1::DecisionResult&)>& plan) {
  v1::DecisionResult result;
  result.set_update_id(update_id);
  const absl::Status status = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const Uuid id, Uuid::Parse(update_id));
    ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(catalog_.Read(), id));
    // What was decided about an update that has left can be cleared.
    if (!standing.inactive()) RETURN_IF_ERROR(CheckHere(standing, update_id));
    result.set_title(standing.inactive() ? "" : standing.current->header.title());
    ASSIGN_OR_RETURN(Plan decisions, plan(standing, result));
    for (v1::Decision& decision : decisions) {
      decision.set_update_id(id.bytes());
      decision.set_decided_by(ActorOf(context));
    }
    ASSIGN_OR_RETURN(const bool changed,
                     Commit(context, action, id, standing, std::move(decisions), validate_only));
    result.set_changed(changed);
    return absl::OkStatus();
  }();
  SetStatus(status, *result.mutable_status());
  return result;
}

// Returns whether anything changed, or would.
absl::StatusOr<bool> DecisionMaker::Commit(const CallContext& context, absl::string_view action,
                                           const Uuid& id, const UpdateStanding& standing,
                                           Plan plan, bool validate_only) {
  std::vector<v1::DecisionEntry> entries;
  for (const v1::Decision& decision : plan) {
    // The same decision by somebody else is no new decision.
    const bool in_force =
        std::any_of(standing.decisions.begin(), standing.decisions.end(),
                    [&decision](const StandingDecision& present) {
                      v1::Decision ours = present.decision;
                      ours.set_decided_by(decision.decided_by());
                      ours.set_comment(decision.comment());
                      return ours.SerializeAsString() == decision.SerializeAsString();
                    });
    if (in_force) continue;
    ASSIGN_OR_RETURN(v1::DecisionEntry entry, PackDecision(decision));
    entries.push_back(std::move(entry));
  }
  if (entries.empty() || validate_only) return !entries.empty();
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const v1::ShardDefinition shard, PolicyShard(reader, id, standing));
  ASSIGN_OR_RETURN(CheckedRecord packed, PackPolicy(id, entries, shard));
  CatalogChange change;
  change.Originate(std::move(packed));
  const std::string text = id.ToString();
  audit_.Add(context, action, standing.inactive() ? text : standing.current->header.title(), text,
             change);
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  return true;
}

absl::StatusOr<v1::CreateGroupResponse> DecisionMaker::CreateGroup(
    const CallContext& context, const v1::CreateGroupRequest& request) {
  if (request.name().empty() || request.name().size() > kGroupNameBytesMax) {
    return InvalidRequest({{"name", "must have 1 to 128 bytes"}});
  }
  const CatalogReader reader = catalog_.Read();
  if (FindGroup(reader, request.name()).ok()) {
    return absl::AlreadyExistsError(absl::StrCat("there is a group \"", request.name(), "\""));
  }
  ASSIGN_OR_RETURN(const RecordColumns parent, FindGroup(reader, request.parent()));
  v1::TargetGroup group;
  group.set_group_id(GroupIdOfName(request.name()).bytes());
  group.set_name(request.name());
  group.set_parent_id(parent.key.id.bytes());
  ASSIGN_OR_RETURN(CheckedRecord packed, PackTargetGroup(group));
  v1::CreateGroupResponse response;
  response.mutable_group()->set_group_id(GroupIdOfName(request.name()).ToString());
  response.mutable_group()->set_name(request.name());
  response.mutable_group()->set_parent_id(parent.key.id.ToString());
  if (request.validate_only()) return response;
  CatalogChange change;
  change.Originate(std::move(packed));
  audit_.Add(context, "create group", request.name(), response.group().group_id(), change);
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  return response;
}

}  // namespace sluice
