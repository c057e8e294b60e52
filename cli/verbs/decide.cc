// `approve`, `decline`, `clear`: decisions about updates.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/find_updates.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/duration_text.h"
#include "sluice/v1/policy_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kApprove = "sluice.v1.PolicyService/ApproveUpdates";
constexpr absl::string_view kDecline = "sluice.v1.PolicyService/DeclineUpdates";
constexpr absl::string_view kClear = "sluice.v1.PolicyService/ClearDecisions";
// As ApproveUpdatesRequest.update_ids allows.
constexpr size_t kUpdatesACall = 1000;
constexpr size_t kTitlesShown = 10;
constexpr size_t kNamesMax = 1000;

const FlagSpec kAllMatching = {"--all-matching", "TEXT",
                               "instead of names: all updates that `update list TEXT` shows"};
const FlagSpec kYes = {"--yes", "", "confirms --all-matching"};
const FlagSpec kComment = {"--comment", "TEXT", "why, for those who look later"};

// The updates that the command line names.
absl::StatusOr<std::vector<std::string>> NamedUpdates(Invocation& invocation) {
  const Arguments& args = invocation.args;
  if (!args.Has("--all-matching")) {
    if (args.positionals().empty()) return UsageError("name at least one update");
    return ResolveUpdates(invocation.caller, args.positionals());
  }
  if (!args.positionals().empty()) {
    return UsageError("--all-matching stands instead of names; give one of the two");
  }
  if (args.Get("--all-matching").empty()) return UsageError("--all-matching needs a text");
  ASSIGN_OR_RETURN(const std::vector<v1::UpdateSummary> updates,
                   MatchingUpdates(invocation.caller, args.Get("--all-matching")));
  if (updates.empty()) {
    return LocalFailure(absl::StrCat("no update fits \"", args.Get("--all-matching"), "\""));
  }
  if (!args.Has("--yes") && !invocation.dry_run) {
    std::string message =
        absl::StrCat("this is about ", Plural(static_cast<int64_t>(updates.size()), "update"), ":");
    for (size_t i = 0; i < std::min(updates.size(), kTitlesShown); ++i) {
      absl::StrAppend(&message, "\n  ", updates[i].title());
    }
    if (updates.size() > kTitlesShown) {
      absl::StrAppend(&message, "\n  and ", updates.size() - kTitlesShown, " more");
    }
    return UsageError(absl::StrCat(message, "\nconfirm with --yes, or look with --dry-run"));
  }
  std::vector<std::string> ids;
  for (const v1::UpdateSummary& update : updates) ids.push_back(update.update_id());
  return ids;
}

// Sends the decision in calls of at most `kUpdatesACall` updates and merges the answers.
template <typename Response, typename Request>
absl::StatusOr<Response> Decide(Caller& caller, absl::string_view method, Request request,
                                const std::vector<std::string>& ids) {
  Response all;
  for (size_t i = 0; i < ids.size(); i += kUpdatesACall) {
    request.clear_update_ids();
    for (size_t k = i; k < std::min(ids.size(), i + kUpdatesACall); ++k) {
      request.add_update_ids(ids[k]);
    }
    Response response;
    RETURN_IF_ERROR(caller.Unary(method, request, response));
    all.MergeFrom(response);
  }
  return all;
}

std::string ResultText(const v1::DecisionResult& result, const Invocation& invocation,
                       absl::string_view done) {
  if (result.status().code() != 0) {
    return absl::StrCat("failed: ", result.status().message(),
                        result.status().reason().empty() ? "" : " (", result.status().reason(),
                        result.status().reason().empty() ? "" : ")");
  }
  if (!result.changed()) return "no change";
  return absl::StrCat(invocation.dry_run ? "would be " : "", done);
}

// Prints what became of each update; kExitFailure when one of them failed.
template <typename Response>
int PrintResults(Invocation& invocation, const Response& response, absl::string_view done) {
  int failed = 0;
  for (const v1::DecisionResult& result : response.results()) {
    failed += result.status().code() != 0;
  }
  invocation.Print(
      response,
      [&] {
        Table table({"ID", "TITLE", "RESULT", "WARNINGS"});
        for (const v1::DecisionResult& result : response.results()) {
          table.AddRow({result.update_id(), result.title(), ResultText(result, invocation, done),
                        absl::StrJoin(result.warnings(), "; ")});
        }
        table.Print(invocation.out);
      },
      [&] {
        for (const v1::DecisionResult& result : response.results()) {
          if (result.status().code() == 0) invocation.out << result.update_id() << "\n";
        }
      });
  if (failed > 0) {
    invocation.err << failed << " of " << Plural(response.results_size(), "update")
                   << " could not be decided\n";
  }
  return failed > 0 ? kExitFailure : kExitOk;
}

// RFC 3339, or a length of time from now.
absl::StatusOr<absl::Time> ParseDeadline(const std::string& text, absl::Time now) {
  absl::Time deadline;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &deadline, &error)) {
    if (deadline <= now) return UsageError(absl::StrCat("--deadline: ", text, " has passed"));
    return deadline;
  }
  const absl::StatusOr<absl::Duration> from_now = ParseDurationText(text);
  if (!from_now.ok()) {
    return UsageError(absl::StrCat("--deadline: \"", text,
                                   "\" is neither a time as in 2026-12-01T00:00:00Z ",
                                   "nor a length of time as in 7d"));
  }
  return now + *from_now;
}

absl::StatusOr<int> RunApprove(Invocation& invocation) {
  const Arguments& args = invocation.args;
  v1::ApproveUpdatesRequest request;
  request.set_group(args.Get("--group"));
  request.set_action(args.Has("--uninstall") ? v1::APPROVAL_ACTION_UNINSTALL
                                             : v1::APPROVAL_ACTION_INSTALL);
  request.set_comment(args.Get("--comment"));
  request.set_revision_digest(args.Get("--revision"));
  request.set_validate_only(invocation.dry_run);
  if (args.Has("--deadline")) {
    ASSIGN_OR_RETURN(const absl::Time deadline,
                     ParseDeadline(args.Get("--deadline"), invocation.clock.Now()));
    *request.mutable_deadline() = ToTimestamp(deadline);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, NamedUpdates(invocation));
  if (args.Has("--revision") && ids.size() != 1) {
    return UsageError("--revision goes with a single update");
  }
  ASSIGN_OR_RETURN(const auto response,
                   Decide<v1::ApproveUpdatesResponse>(invocation.caller, kApprove, request, ids));
  return PrintResults(invocation, response, "approved");
}

absl::StatusOr<int> RunDecline(Invocation& invocation) {
  v1::DeclineUpdatesRequest request;
  request.set_comment(invocation.args.Get("--comment"));
  request.set_validate_only(invocation.dry_run);
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, NamedUpdates(invocation));
  ASSIGN_OR_RETURN(const auto response,
                   Decide<v1::DeclineUpdatesResponse>(invocation.caller, kDecline, request, ids));
  return PrintResults(invocation, response, "declined");
}

absl::StatusOr<int> RunClear(Invocation& invocation) {
  v1::ClearDecisionsRequest request;
  request.set_group(invocation.args.Get("--group"));
  request.set_decline(invocation.args.Has("--decline"));
  request.set_comment(invocation.args.Get("--comment"));
  request.set_validate_only(invocation.dry_run);
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, NamedUpdates(invocation));
  ASSIGN_OR_RETURN(const auto response,
                   Decide<v1::ClearDecisionsResponse>(invocation.caller, kClear, request, ids));
  return PrintResults(invocation, response, "cleared");
}

}  // namespace

Verb ApproveVerb() {
  return {
      .name = "approve",
      .positionals = "ID|TITLE...",
      .summary = "Approve updates for a group of machines.",
      .method = kApprove,
      .flags = {{"--group", "NAME", "the group's name or id; default: All Computers"},
                {"--deadline", "TIME",
                 "when it must have happened: 2026-12-01T00:00:00Z, or from now: 7d"},
                {"--uninstall", "", "approve for removal"},
                {"--revision", "DIGEST", "this revision only; default: the current one, always"},
                kComment,
                kAllMatching,
                kYes},
      .positionals_max = kNamesMax,
      .changes_state = true,
      .run = RunApprove};
}

Verb DeclineVerb() {
  return {.name = "decline",
          .positionals = "ID|TITLE...",
          .summary = "Decline updates for everybody: hide them and want their files no more.",
          .method = kDecline,
          .flags = {kComment, kAllMatching, kYes},
          .positionals_max = kNamesMax,
          .changes_state = true,
          .run = RunDecline};
}

Verb ClearVerb() {
  return {.name = "clear",
          .positionals = "ID|TITLE...",
          .summary = "Take decisions back; without --group and --decline all of them.",
          .method = kClear,
          .flags = {{"--group", "NAME", "the approval for this group"},
                    {"--decline", "", "the decline"},
                    kComment,
                    kAllMatching,
                    kYes},
          .positionals_max = kNamesMax,
          .changes_state = true,
          .run = RunClear};
}

}  // namespace sluice
