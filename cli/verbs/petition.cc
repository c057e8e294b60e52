// `petition list`, `petition grant`, `petition refuse`: what nodes below ask of this node's
// operator.
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/status.h"
#include "sluice/v1/petition_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kList = "sluice.v1.PetitionService/ListPetitions";
constexpr absl::string_view kGrant = "sluice.v1.PetitionService/GrantPetition";
constexpr absl::string_view kRefuse = "sluice.v1.PetitionService/RefusePetition";

absl::StatusOr<int> RunList(Invocation& invocation) {
  v1::ListPetitionsRequest request;
  request.set_waiting_only(invocation.args.Has("--waiting"));
  ASSIGN_OR_RETURN(const v1::ListPetitionsResponse response,
                   ListPages<v1::ListPetitionsResponse>(invocation.caller, kList, request));
  invocation.Print(
      response,
      [&] {
        Table table({"PETITION", "KIND", "STATE", "FROM", "ASKED", "WHAT", "WHY", "ANSWER"});
        for (const v1::Petition& petition : response.petitions()) {
          table.AddRow({petition.petition_id(), WordOf(petition.kind()), WordOf(petition.state()),
                        petition.from_node_id().empty() ? "this node" : petition.node_name(),
                        HumanTime(ToTime(petition.asked_at()), invocation.zone), petition.summary(),
                        petition.comment(), petition.answer()});
        }
        if (!table.empty()) table.Print(invocation.out);
        if (table.empty()) invocation.err << "no petitions\n";
      },
      [&] {
        for (const v1::Petition& petition : response.petitions()) {
          invocation.out << petition.petition_id() << "\n";
        }
      });
  return kExitOk;
}

absl::StatusOr<int> RunGrant(Invocation& invocation) {
  v1::GrantPetitionRequest request;
  request.set_petition_id(invocation.args.positionals()[0]);
  request.set_answer(invocation.args.Get("--answer"));
  request.set_validate_only(invocation.dry_run);
  v1::GrantPetitionResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kGrant, request, response));
  invocation.Print(
      response,
      [&] {
        for (const std::string& action : response.actions()) {
          invocation.out << (invocation.dry_run ? "would: " : "") << Printable(action) << "\n";
        }
        if (!invocation.dry_run) {
          invocation.out << WordOf(response.petition().state()) << "\n";
        }
      },
      [&] { invocation.out << response.petition().petition_id() << "\n"; });
  return kExitOk;
}

absl::StatusOr<int> RunRefuse(Invocation& invocation) {
  v1::RefusePetitionRequest request;
  request.set_petition_id(invocation.args.positionals()[0]);
  request.set_answer(invocation.args.Get("--answer"));
  v1::RefusePetitionResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kRefuse, request, response));
  invocation.Print(
      response, [&] { invocation.out << WordOf(response.petition().state()) << "\n"; },
      [&] { invocation.out << response.petition().petition_id() << "\n"; });
  return kExitOk;
}

}  // namespace

Verb PetitionListVerb() {
  return {.name = "petition list",
          .positionals = "",
          .summary = "List what nodes below asked of this node, and what it asked of its upstream.",
          .method = kList,
          .flags = {{"--waiting", "", "only those that wait for a decision here"}},
          .run = RunList};
}

Verb PetitionGrantVerb() {
  return {.name = "petition grant",
          .positionals = "PETITION",
          .summary =
              "Grant a petition: take more, pin updates, or take records back; and ask the node "
              "above where it lacks them too.",
          .method = kGrant,
          .flags = {{"--answer", "TEXT", "a word to whoever asked"}},
          .positionals_min = 1,
          .positionals_max = 1,
          .changes_state = true,
          .run = RunGrant};
}

Verb PetitionRefuseVerb() {
  return {.name = "petition refuse",
          .positionals = "PETITION",
          .summary = "Refuse a petition.",
          .method = kRefuse,
          .flags = {{"--answer", "TEXT", "a word to whoever asked"}},
          .positionals_min = 1,
          .positionals_max = 1,
          .run = RunRefuse};
}

}  // namespace sluice
