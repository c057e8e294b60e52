#include "upstream/policy_service.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/selection.h"
#include "upstream/page.h"
#include "upstream/pins.h"

namespace sluice {
namespace {

constexpr int kNamesMax = 1000;
constexpr int kScanPage = 1000;

// Sorts and drops what is named twice, so that the same subscription is the same bytes.
absl::Status Normalize(absl::string_view field,
                       google::protobuf::RepeatedPtrField<std::string>& names) {
  if (names.size() > kNamesMax) {
    return InvalidRequest({{std::string(field), "holds more than 1,000 names"}});
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (!names.empty() && names[0].empty()) {
    return InvalidRequest({{std::string(field), "holds an empty name"}});
  }
  return absl::OkStatus();
}

using CountByGroup = std::map<Uuid, int64_t>;

// How many updates have an approval in force.
absl::StatusOr<CountByGroup> CountApprovals(const CatalogReader& reader) {
  CountByGroup counts;
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                     reader.List(v1::RECORD_KIND_POLICY, after, kScanPage));
    if (policies.empty()) return counts;
    after = policies.back().key.Encode();
    for (const RecordColumns& policy : policies) {
      ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, policy.key.id));
      if (standing.declined() || standing.inactive()) continue;
      for (const StandingDecision& decision : standing.decisions) {
        const std::optional<Uuid> group = GroupOfDecisionKey(decision.decision.key());
        if (group.has_value()) ++counts[*group];
      }
    }
  }
}

}  // namespace

PolicyService::PolicyService(Catalog& catalog, Audit& audit, Options options)
    : catalog_(catalog), audit_(audit), options_(std::move(options)) {}

absl::StatusOr<DecisionMaker*> PolicyService::Origin() const {
  if (options_.decisions != nullptr) return options_.decisions;
  return MakeError(v1::REASON_NOT_ORIGIN,
                   absl::StrCat("this node follows ", options_.upstream_target,
                                "; decide at the root of the tree, or at the autonomous node "
                                "above this one"));
}

void PolicyService::AddTo(Router& router) {
  router.Unary<v1::ApproveUpdatesRequest, v1::ApproveUpdatesResponse>(
      "sluice.v1.PolicyService/ApproveUpdates",
      [this](const CallContext& context, const v1::ApproveUpdatesRequest& request)
          -> absl::StatusOr<v1::ApproveUpdatesResponse> {
        ASSIGN_OR_RETURN(DecisionMaker* const origin, Origin());
        return origin->Approve(context, request);
      });
  router.Unary<v1::DeclineUpdatesRequest, v1::DeclineUpdatesResponse>(
      "sluice.v1.PolicyService/DeclineUpdates",
      [this](const CallContext& context, const v1::DeclineUpdatesRequest& request)
          -> absl::StatusOr<v1::DeclineUpdatesResponse> {
        ASSIGN_OR_RETURN(DecisionMaker* const origin, Origin());
        return origin->Decline(context, request);
      });
  router.Unary<v1::ClearDecisionsRequest, v1::ClearDecisionsResponse>(
      "sluice.v1.PolicyService/ClearDecisions",
      [this](const CallContext& context, const v1::ClearDecisionsRequest& request)
          -> absl::StatusOr<v1::ClearDecisionsResponse> {
        ASSIGN_OR_RETURN(DecisionMaker* const origin, Origin());
        return origin->Clear(context, request);
      });
  router.Unary<v1::CreateGroupRequest, v1::CreateGroupResponse>(
      "sluice.v1.PolicyService/CreateGroup",
      [this](const CallContext& context,
             const v1::CreateGroupRequest& request) -> absl::StatusOr<v1::CreateGroupResponse> {
        ASSIGN_OR_RETURN(DecisionMaker* const origin, Origin());
        return origin->CreateGroup(context, request);
      });
  router.Unary<v1::ListGroupsRequest, v1::ListGroupsResponse>(
      "sluice.v1.PolicyService/ListGroups",
      [this](const CallContext&, const v1::ListGroupsRequest& request) {
        return ListGroups(request);
      });
  router.Unary<v1::GetSubscriptionRequest, v1::GetSubscriptionResponse>(
      "sluice.v1.PolicyService/GetSubscription",
      [this](const CallContext&, const v1::GetSubscriptionRequest&) { return GetSubscription(); });
  router.Unary<v1::SetSubscriptionRequest, v1::SetSubscriptionResponse>(
      "sluice.v1.PolicyService/SetSubscription",
      [this](const CallContext& context, const v1::SetSubscriptionRequest& request) {
        return SetSubscription(context, request);
      });
  router.Unary<v1::PinUpdatesRequest, v1::PinUpdatesResponse>(
      "sluice.v1.PolicyService/PinUpdates",
      [this](const CallContext& context, const v1::PinUpdatesRequest& request) {
        return Pin(context, request);
      });
}

absl::Status PolicyService::CheckFollows() const {
  if (options_.on_subscription) return absl::OkStatus();
  return MakeError(v1::REASON_NO_UPSTREAM,
                   "the root takes what its sources offer and has no subscription");
}

absl::StatusOr<v1::ListGroupsResponse> PolicyService::ListGroups(
    const v1::ListGroupsRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> groups, AllGroups(reader));
  ASSIGN_OR_RETURN(CountByGroup approvals, CountApprovals(reader));
  std::map<std::string, const RecordColumns*> by_name;
  for (const RecordColumns& group : groups) by_name.emplace(group.header.title(), &group);
  v1::ListGroupsResponse response;
  for (auto row = by_name.upper_bound(page.after); row != by_name.end(); ++row) {
    if (response.groups_size() == page.size) {
      response.set_next_page_token(PageToken(std::prev(row)->first));
      break;
    }
    const RecordColumns& group = *row->second;
    v1::GroupStatus& status = *response.add_groups();
    status.set_group_id(group.key.id.ToString());
    status.set_name(row->first);
    const absl::StatusOr<Uuid> parent = Uuid::FromBytes(group.header.parent_id());
    if (parent.ok()) status.set_parent_id(parent->ToString());
    status.set_approved_updates(approvals[group.key.id]);
    status.set_missing_upstream(group.key.kept());
  }
  return response;
}

absl::StatusOr<v1::GetSubscriptionResponse> PolicyService::GetSubscription() const {
  const CatalogReader reader = catalog_.Read();
  v1::GetSubscriptionResponse response;
  ASSIGN_OR_RETURN(*response.mutable_subscription(), ReadSubscription(reader));
  ASSIGN_OR_RETURN(const std::vector<std::string> unmatched,
                   UnmatchedNames(reader, response.subscription()));
  response.mutable_unmatched()->Add(unmatched.begin(), unmatched.end());
  ASSIGN_OR_RETURN(const std::vector<Uuid> pins, PicksOf(response.subscription()));
  for (const Uuid& pin : pins) {
    if (reader.CurrentRevision(pin).ok()) continue;
    response.add_unmatched(absl::StrCat("update ", pin.ToString()));
  }
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  *response.mutable_upstream_subscription() = above.subscription();
  return response;
}

absl::StatusOr<v1::PinUpdatesResponse> PolicyService::Pin(const CallContext& context,
                                                          const v1::PinUpdatesRequest& request) {
  RETURN_IF_ERROR(CheckFollows());
  ASSIGN_OR_RETURN(v1::PinUpdatesResponse response, PinUpdates(catalog_, audit_, context, request));
  const bool changed =
      std::any_of(response.results().begin(), response.results().end(),
                  [](const v1::DecisionResult& result) { return result.changed(); });
  if (changed && !request.validate_only()) options_.on_subscription();
  return response;
}

absl::StatusOr<v1::SetSubscriptionResponse> PolicyService::SetSubscription(
    const CallContext& context, const v1::SetSubscriptionRequest& request) {
  RETURN_IF_ERROR(CheckFollows());
  v1::Subscription subscription = request.subscription();
  RETURN_IF_ERROR(Normalize("subscription.products", *subscription.mutable_products()));
  RETURN_IF_ERROR(
      Normalize("subscription.classifications", *subscription.mutable_classifications()));
  RETURN_IF_ERROR(Normalize("subscription.languages", *subscription.mutable_languages()));
  ASSIGN_OR_RETURN(const std::vector<Uuid> pins, PicksOf(subscription));
  SetPicks(pins, subscription);
  v1::SetSubscriptionResponse response;
  *response.mutable_subscription() = subscription;
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<std::string> unmatched, UnmatchedNames(reader, subscription));
  response.mutable_unmatched()->Add(unmatched.begin(), unmatched.end());
  if (options_.preview.ask) {
    RETURN_IF_ERROR(PreviewSubscription(reader, subscription, options_.preview, response));
  }
  if (request.validate_only()) return response;
  CatalogChange change;
  change.PutRow(Family::kSettings, kSubscriptionSetting, subscription);
  audit_.Add(context, "set subscription", "subscription", subscription.ShortDebugString(), change);
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  options_.on_subscription();
  return response;
}

}  // namespace sluice
