// `update where` and `update explain`: how far an update has come in the tree, and why a node
// offers it or does not.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/find_updates.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/status.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kWhere = "sluice.v1.TreeService/Where";
constexpr absl::string_view kExplain = "sluice.v1.TreeService/Explain";
constexpr int kDepthMax = 64;

std::string StageText(const Invocation& invocation, const v1::Stage& stage) {
  if (stage.has_since()) return HumanTime(ToTime(stage.since()), invocation.zone);
  switch (stage.state()) {
    case v1::STAGE_STATE_REACHED:
      return "yes";
    case v1::STAGE_STATE_NOT_YET:
      return "not yet";
    case v1::STAGE_STATE_NOT_WANTED:
      return "-";
    default:
      return "?";
  }
}

std::string WaitsFor(const v1::UpdatePlace& place) {
  if (place.waits_for().empty()) return place.detail();
  return absl::StrCat(place.waits_for(), ": ", place.detail());
}

void PrintPlaces(const Invocation& invocation, const v1::WhereResponse& response) {
  if (!response.title().empty()) invocation.out << Printable(response.title()) << "\n\n";
  Table table({"NODE", "METADATA", "DECISION", "CONTENT", "VISIBLE", ">FILES MISSING", "HEARD",
               "WAITS FOR"});
  for (const v1::UpdatePlace& place : response.places()) {
    const int depth = std::clamp(place.depth(), 0, kDepthMax);
    const std::string heard =
        place.has_heard_at()
            ? absl::StrCat(HumanDuration(invocation.clock.Now() - ToTime(place.heard_at())), " ago")
            : "never";
    table.AddRow({absl::StrCat(std::string(static_cast<size_t>(depth) * 2, ' '),
                               place.node_name().empty() ? place.node_id() : place.node_name()),
                  StageText(invocation, place.metadata()), StageText(invocation, place.decision()),
                  StageText(invocation, place.content()), StageText(invocation, place.visible()),
                  absl::StrCat(place.files_missing()), depth == 0 ? "here" : heard,
                  WaitsFor(place)});
  }
  table.Print(invocation.out);
}

absl::StatusOr<int> RunWhere(Invocation& invocation) {
  v1::WhereRequest request;
  ASSIGN_OR_RETURN(*request.mutable_update_id(),
                   ResolveUpdate(invocation.caller, invocation.args.positionals()[0]));
  ASSIGN_OR_RETURN(const v1::WhereResponse response,
                   ListPages<v1::WhereResponse>(invocation.caller, kWhere, request));
  invocation.Print(
      response, [&] { PrintPlaces(invocation, response); },
      [&] {
        for (const v1::UpdatePlace& place : response.places()) {
          invocation.out << place.node_id() << "\n";
        }
      });
  return kExitOk;
}

std::string Outcome(const v1::ExplainStep& step) {
  if (step.passed()) return "yes";
  return step.unknown() ? "?" : "NO";
}

void PrintExplanation(const Invocation& invocation, const v1::ExplainResponse& response) {
  if (!response.title().empty()) invocation.out << Printable(response.title()) << "\n";
  invocation.out << Printable(response.verdict()) << "\n\n";
  Table table({"NODE", "RULE", "HOLDS", "SINCE", "WORDS", "REASON"});
  for (const v1::ExplainStep& step : response.steps()) {
    table.AddRow({step.node_name().empty() ? step.node_id() : step.node_name(), WordOf(step.rule()),
                  Outcome(step),
                  step.has_since() ? HumanTime(ToTime(step.since()), invocation.zone) : "",
                  step.words(), step.reason()});
  }
  table.Print(invocation.out);
}

absl::StatusOr<int> RunExplain(Invocation& invocation) {
  v1::ExplainRequest request;
  ASSIGN_OR_RETURN(*request.mutable_update_id(),
                   ResolveUpdate(invocation.caller, invocation.args.positionals()[0]));
  request.set_node(invocation.args.Get("--node"));
  v1::ExplainResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kExplain, request, response));
  invocation.Print(
      response, [&] { PrintExplanation(invocation, response); },
      [&] { invocation.out << (response.visible() ? "visible" : "not visible") << "\n"; });
  return kExitOk;
}

}  // namespace

Verb UpdateWhereVerb() {
  return {.name = "update where",
          .positionals = "ID|TITLE",
          .summary = "Show how far an update has come at this node and at every node below it.",
          .method = kWhere,
          .flags = {},
          .positionals_min = 1,
          .positionals_max = 1,
          .run = RunWhere};
}

Verb UpdateExplainVerb() {
  return {
      .name = "update explain",
      .positionals = "ID|TITLE",
      .summary = "Tell why a node offers an update to its clients, or does not: rule by rule.",
      .method = kExplain,
      .flags = {{"--node", "NODE", "id or name of a node below; default: the one that answers"}},
      .positionals_min = 1,
      .positionals_max = 1,
      .run = RunExplain};
}

}  // namespace sluice
