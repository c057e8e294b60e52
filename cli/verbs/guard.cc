// `guard show`, `guard release`: a removal that a node holds because it is large.
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/verbs/verbs.h"
#include "common/status.h"
#include "sluice/v1/upstream_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kList = "sluice.v1.UpstreamService/ListUpstreams";
constexpr absl::string_view kRelease = "sluice.v1.UpstreamService/ReleaseGuard";

std::string HeldText(const v1::HeldRemoval& held) {
  return absl::StrCat("removal ", held.removal_id(), ": ", held.records(), " of ",
                      held.records_here(), " records, ", held.cause());
}

absl::StatusOr<v1::HeldRemoval> ReadHeld(Invocation& invocation) {
  v1::ListUpstreamsResponse upstreams;
  RETURN_IF_ERROR(invocation.caller.Unary(kList, v1::ListUpstreamsRequest(), upstreams));
  return upstreams.held();
}

absl::StatusOr<int> RunShow(Invocation& invocation) {
  ASSIGN_OR_RETURN(const v1::HeldRemoval held, ReadHeld(invocation));
  const bool holds = !held.removal_id().empty();
  invocation.Print(
      held,
      [&] {
        if (!holds) {
          invocation.err << "the guard holds nothing\n";
          return;
        }
        invocation.out << HeldText(held) << "; since "
                       << HumanTime(ToTime(held.since()), invocation.zone) << "\n";
      },
      [&] {
        if (holds) invocation.out << held.removal_id() << "\n";
      });
  return kExitOk;
}

absl::StatusOr<int> RunRelease(Invocation& invocation) {
  v1::ReleaseGuardRequest request;
  v1::ReleaseGuardResponse response;
  if (!invocation.args.positionals().empty()) {
    request.set_removal_id(invocation.args.positionals()[0]);
  }
  if (request.removal_id().empty() || invocation.dry_run) {
    ASSIGN_OR_RETURN(*response.mutable_released(), ReadHeld(invocation));
    if (response.released().removal_id().empty()) {
      return LocalFailure("the guard holds nothing");
    }
    request.set_removal_id(response.released().removal_id());
  }
  if (!invocation.dry_run) {
    RETURN_IF_ERROR(invocation.caller.Unary(kRelease, request, response));
  }
  invocation.Print(
      response,
      [&] {
        invocation.out << (invocation.dry_run ? "would release " : "released ")
                       << HeldText(response.released()) << "\n";
      },
      [&] { invocation.out << response.released().removal_id() << "\n"; });
  return kExitOk;
}

}  // namespace

Verb GuardShowVerb() {
  return {.name = "guard show",
          .positionals = "",
          .summary = "Show the removal that a node holds until an operator says so.",
          .method = kList,
          .flags = {},
          .run = RunShow};
}

Verb GuardReleaseVerb() {
  return {.name = "guard release",
          .positionals = "[ID]",
          .summary = "Let the held removal happen; without ID, whichever it is.",
          .method = kRelease,
          .flags = {},
          .positionals_max = 1,
          .changes_state = true,
          .run = RunRelease};
}

}  // namespace sluice
