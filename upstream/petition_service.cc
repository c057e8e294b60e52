#include "upstream/petition_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/page.h"
#include "upstream/petition_grant.h"
#include "upstream/serving_methods.h"

namespace sluice {
namespace {

constexpr size_t kAnswerBytesMax = 1024;

absl::Status CheckAnswer(const std::string& answer) {
  if (answer.size() <= kAnswerBytesMax) return absl::OkStatus();
  return InvalidRequest({{"answer", "is longer than 1 KiB"}});
}

}  // namespace

PetitionService::PetitionService(Catalog& catalog, PetitionDesk& desk, Audit& audit,
                                 std::function<void()> on_subscription)
    : catalog_(catalog), desk_(desk), audit_(audit), on_subscription_(std::move(on_subscription)) {}

void PetitionService::AddTo(Router& router) {
  router.Unary<v1::SubmitPetitionRequest, v1::SubmitPetitionResponse>(
      "sluice.v1.ReplicationService/SubmitPetition",
      [this](const CallContext& context, const v1::SubmitPetitionRequest& request)
          -> absl::StatusOr<v1::SubmitPetitionResponse> {
        RETURN_IF_ERROR(CheckCaller(context, request.node_id()));
        return Submit(request);
      });
  router.Unary<v1::ListPetitionsRequest, v1::ListPetitionsResponse>(
      "sluice.v1.PetitionService/ListPetitions",
      [this](const CallContext&, const v1::ListPetitionsRequest& request) {
        return List(request);
      });
  router.Unary<v1::GrantPetitionRequest, v1::GrantPetitionResponse>(
      "sluice.v1.PetitionService/GrantPetition",
      [this](const CallContext& context, const v1::GrantPetitionRequest& request) {
        return Grant(context, request);
      });
  router.Unary<v1::RefusePetitionRequest, v1::RefusePetitionResponse>(
      "sluice.v1.PetitionService/RefusePetition",
      [this](const CallContext& context, const v1::RefusePetitionRequest& request) {
        return Refuse(context, request);
      });
}

absl::StatusOr<v1::SubmitPetitionResponse> PetitionService::Submit(
    const v1::SubmitPetitionRequest& request) {
  v1::SubmitPetitionResponse response;
  ASSIGN_OR_RETURN(*response.mutable_petition(), desk_.Submit(request));
  const v1::Petition& petition = response.petition();
  const bool waits = petition.state() == v1::PETITION_STATE_WAITING;
  if (!waits || petition.kind() == v1::PETITION_KIND_RETURN) return response;
  absl::StatusOr<PetitionGrant> plan = PlanGrant(catalog_.Read(), petition, desk_.is_root());
  if (!plan.ok() || !plan->change.empty() || plan->state != v1::PETITION_STATE_GRANTED) {
    return response;
  }
  v1::PetitionAnswer answer;
  answer.set_petition_id(petition.petition_id());
  answer.set_state(v1::PETITION_STATE_GRANTED);
  answer.set_answer(absl::StrJoin(plan->actions, "; "));
  ASSIGN_OR_RETURN(*response.mutable_petition(), desk_.Decide(answer, CatalogChange()));
  return response;
}

absl::StatusOr<v1::ListPetitionsResponse> PetitionService::List(
    const v1::ListPetitionsRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  size_t begin = 0;
  if (!page.after.empty() && !absl::SimpleAtoi(page.after, &begin)) {
    return InvalidRequest({{"page_token", "is none that this node gave out"}});
  }
  ASSIGN_OR_RETURN(const std::vector<v1::Petition> petitions, ReadPetitions(catalog_.Read()));
  v1::ListPetitionsResponse response;
  for (size_t i = begin; i < petitions.size(); ++i) {
    const bool waits =
        petitions[i].state() == v1::PETITION_STATE_WAITING && !petitions[i].from_node_id().empty();
    if (request.waiting_only() && !waits) continue;
    if (response.petitions_size() == page.size) {
      response.set_next_page_token(PageToken(absl::StrCat(i)));
      break;
    }
    *response.add_petitions() = petitions[i];
  }
  return response;
}

absl::StatusOr<v1::GrantPetitionResponse> PetitionService::Grant(
    const CallContext& context, const v1::GrantPetitionRequest& request) {
  RETURN_IF_ERROR(CheckAnswer(request.answer()));
  ASSIGN_OR_RETURN(const v1::Petition petition, desk_.Waiting(request.petition_id()));
  ASSIGN_OR_RETURN(PetitionGrant plan, PlanGrant(catalog_.Read(), petition, desk_.is_root()));
  v1::GrantPetitionResponse response;
  response.mutable_actions()->Add(plan.actions.begin(), plan.actions.end());
  if (request.validate_only()) {
    *response.mutable_petition() = petition;
    response.mutable_petition()->clear_records();
    return response;
  }
  audit_.Add(context, "grant petition", petition.petition_id(), absl::StrJoin(plan.actions, "; "),
             plan.change);
  if (!plan.first.empty()) RETURN_IF_ERROR(catalog_.Commit(plan.first).status());
  v1::PetitionAnswer answer;
  answer.set_petition_id(petition.petition_id());
  answer.set_state(plan.state);
  answer.set_decided_by(ActorOf(context));
  answer.set_answer(request.answer());
  ASSIGN_OR_RETURN(*response.mutable_petition(), desk_.Decide(answer, std::move(plan.change)));
  if (plan.subscription_changed && on_subscription_) on_subscription_();
  return response;
}

absl::StatusOr<v1::RefusePetitionResponse> PetitionService::Refuse(
    const CallContext& context, const v1::RefusePetitionRequest& request) {
  RETURN_IF_ERROR(CheckAnswer(request.answer()));
  CatalogChange change;
  audit_.Add(context, "refuse petition", request.petition_id(), request.answer(), change);
  v1::PetitionAnswer answer;
  answer.set_petition_id(request.petition_id());
  answer.set_state(v1::PETITION_STATE_REFUSED);
  answer.set_decided_by(ActorOf(context));
  answer.set_answer(request.answer());
  v1::RefusePetitionResponse response;
  ASSIGN_OR_RETURN(*response.mutable_petition(), desk_.Decide(answer, std::move(change)));
  return response;
}

}  // namespace sluice
