// `site hold`, `site suppress`, `site release`, `site list`: what a node holds back for itself and
// those below.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/find_updates.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/duration_text.h"
#include "common/status.h"
#include "sluice/v1/site_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kHold = "sluice.v1.SiteService/HoldUpdates";
constexpr absl::string_view kSuppress = "sluice.v1.SiteService/SuppressUpdates";
constexpr absl::string_view kRelease = "sluice.v1.SiteService/ReleaseUpdates";
constexpr absl::string_view kList = "sluice.v1.SiteService/ListNotices";
// As HoldUpdatesRequest.update_ids allows.
constexpr size_t kNamesMax = 1000;

const FlagSpec kComment = {"--comment", "TEXT", "why, for those who look later"};

std::string ResultText(const v1::NoticeResult& result, const Invocation& invocation,
                       absl::string_view done) {
  const v1::ItemStatus& status = result.status();
  if (status.code() != 0) {
    return absl::StrCat("failed: ", status.message(),
                        status.reason().empty() ? "" : absl::StrCat(" (", status.reason(), ")"));
  }
  if (!result.changed()) return "no change";
  return absl::StrCat(invocation.dry_run ? "would be " : "", done);
}

// Asks for the updates that the command line names and prints what became of each; kExitFailure
// when one of them failed.
template <typename Response, typename Request>
absl::StatusOr<int> Change(Invocation& invocation, absl::string_view method, Request request,
                           absl::string_view done) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   ResolveUpdates(invocation.caller, invocation.args.positionals()));
  request.mutable_update_ids()->Add(ids.begin(), ids.end());
  request.set_comment(invocation.args.Get("--comment"));
  request.set_validate_only(invocation.dry_run);
  Response response;
  RETURN_IF_ERROR(invocation.caller.Unary(method, request, response));
  int failed = 0;
  for (const v1::NoticeResult& result : response.results()) failed += result.status().code() != 0;
  invocation.Print(
      response,
      [&] {
        Table table({"ID", "TITLE", "RESULT"});
        for (const v1::NoticeResult& result : response.results()) {
          table.AddRow({result.update_id(), result.title(), ResultText(result, invocation, done)});
        }
        table.Print(invocation.out);
      },
      [&] {
        for (const v1::NoticeResult& result : response.results()) {
          if (result.status().code() == 0) invocation.out << result.update_id() << "\n";
        }
      });
  if (failed == 0) return kExitOk;
  invocation.err << failed << " of " << Plural(response.results_size(), "update") << " failed\n";
  return kExitFailure;
}

// When the hold ends: by --until or --for, of which one is given.
absl::StatusOr<absl::Time> HoldEnd(const Invocation& invocation) {
  const Arguments& args = invocation.args;
  if (args.Has("--until") == args.Has("--for")) {
    return UsageError("say --until TIME or --for LENGTH, one of the two");
  }
  const absl::Time now = invocation.clock.Now();
  if (args.Has("--for")) {
    const absl::StatusOr<absl::Duration> length = ParseDurationText(args.Get("--for"));
    if (!length.ok() || *length == absl::ZeroDuration()) {
      return UsageError(
          absl::StrCat("--for: \"", args.Get("--for"), "\" is no length of time as in 3d"));
    }
    return now + *length;
  }
  absl::Time until;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, args.Get("--until"), &until, &error)) {
    return UsageError(absl::StrCat("--until: \"", args.Get("--until"),
                                   "\" is no time as in 2026-12-01T00:00:00Z"));
  }
  if (until <= now)
    return UsageError(absl::StrCat("--until: ", args.Get("--until"), " has passed"));
  return until;
}

absl::StatusOr<int> RunHold(Invocation& invocation) {
  ASSIGN_OR_RETURN(const absl::Time until, HoldEnd(invocation));
  v1::HoldUpdatesRequest request;
  *request.mutable_held_until() = ToTimestamp(until);
  return Change<v1::HoldUpdatesResponse>(invocation, kHold, request, "held");
}

absl::StatusOr<int> RunSuppress(Invocation& invocation) {
  return Change<v1::SuppressUpdatesResponse>(invocation, kSuppress, v1::SuppressUpdatesRequest(),
                                             "suppressed");
}

absl::StatusOr<int> RunRelease(Invocation& invocation) {
  return Change<v1::ReleaseUpdatesResponse>(invocation, kRelease, v1::ReleaseUpdatesRequest(),
                                            "released");
}

std::string NoticeText(const Invocation& invocation, const v1::SiteNotice& notice) {
  if (notice.suppressed()) return "suppressed";
  const absl::Time until = ToTime(notice.held_until());
  return absl::StrCat(until <= invocation.clock.Now() ? "was held until " : "held until ",
                      HumanTime(until, invocation.zone));
}

absl::StatusOr<int> RunList(Invocation& invocation) {
  ASSIGN_OR_RETURN(const auto response, ListPages<v1::ListNoticesResponse>(
                                            invocation.caller, kList, v1::ListNoticesRequest()));
  invocation.Print(
      response,
      [&] {
        Table table({"UPDATE", "TITLE", "NOTICE", "NODE", "BY", "COMMENT"});
        for (const v1::NoticeStatus& status : response.notices()) {
          std::string node = status.node_name().empty() ? status.node_id() : status.node_name();
          if (status.own()) absl::StrAppend(&node, " (this node)");
          table.AddRow({status.update_id(), status.title(), NoticeText(invocation, status.notice()),
                        node, status.notice().decided_by(), status.notice().comment()});
        }
        table.Print(invocation.out);
      },
      [&] {
        for (const v1::NoticeStatus& status : response.notices()) {
          invocation.out << status.update_id() << "\n";
        }
      });
  return kExitOk;
}

}  // namespace

Verb SiteHoldVerb() {
  return {.name = "site hold",
          .positionals = "ID|TITLE...",
          .summary = "Offer updates here and below only from a time on; their files are fetched.",
          .method = kHold,
          .flags = {{"--until", "TIME", "as in 2026-12-01T00:00:00Z"},
                    {"--for", "LENGTH", "from now, as in 3d"},
                    kComment},
          .positionals_min = 1,
          .positionals_max = kNamesMax,
          .changes_state = true,
          .run = RunHold};
}

Verb SiteSuppressVerb() {
  return {.name = "site suppress",
          .positionals = "ID|TITLE...",
          .summary = "Hide updates here and below, whatever was decided above.",
          .method = kSuppress,
          .flags = {kComment},
          .positionals_min = 1,
          .positionals_max = kNamesMax,
          .changes_state = true,
          .run = RunSuppress};
}

Verb SiteReleaseVerb() {
  return {.name = "site release",
          .positionals = "ID|TITLE...",
          .summary = "Hold updates back no longer, as far as this node does.",
          .method = kRelease,
          .flags = {kComment},
          .positionals_min = 1,
          .positionals_max = kNamesMax,
          .changes_state = true,
          .run = RunRelease};
}

Verb SiteListVerb() {
  return {.name = "site list",
          .positionals = "",
          .summary = "List what this node and those above it hold back.",
          .method = kList,
          .flags = {},
          .run = RunList};
}

}  // namespace sluice
