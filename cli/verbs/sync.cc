// `sync cancel`, `sync list`, `sync get`, `sync schedule`: what was and what will be.
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/session_text.h"
#include "cli/verbs/verbs.h"
#include "sluice/v1/sync_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kCancel = "sluice.v1.SyncService/CancelSync";
constexpr absl::string_view kList = "sluice.v1.SyncService/ListSessions";
constexpr absl::string_view kGet = "sluice.v1.SyncService/GetSession";
constexpr absl::string_view kSchedule = "sluice.v1.SyncService/GetSchedule";
constexpr int kSessionsShown = 20;

absl::StatusOr<int> RunCancel(Invocation& invocation) {
  if (invocation.dry_run) {
    invocation.err << "would cancel the running session, if there is one\n";
    return kExitOk;
  }
  v1::CancelSyncResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kCancel, v1::CancelSyncRequest(), response));
  invocation.Print(
      response,
      [&] {
        invocation.out << (response.cancelled() ? "cancelled; what it committed stays\n"
                                                : "nothing was running\n");
      },
      [] {});
  return kExitOk;
}

absl::StatusOr<int> RunList(Invocation& invocation) {
  int limit = kSessionsShown;
  if (invocation.args.Has("--limit") &&
      (!absl::SimpleAtoi(invocation.args.Get("--limit"), &limit) || limit < 1)) {
    return UsageError("--limit needs a number from 1");
  }
  v1::ListSessionsRequest request;
  request.set_page_size(limit < kPageSize ? limit : kPageSize);
  ASSIGN_OR_RETURN(auto response, ListPages<v1::ListSessionsResponse>(
                                      invocation.caller, kList, request,
                                      [limit](const v1::ListSessionsResponse& all) {
                                        return all.sessions_size() >= limit;
                                      }));
  if (response.sessions_size() > limit) {
    response.mutable_sessions()->DeleteSubrange(limit, response.sessions_size() - limit);
  }
  invocation.Print(
      response, [&] { PrintSessions(invocation, response); },
      [&] {
        for (const auto& session : response.sessions()) {
          invocation.out << session.session_id() << "\n";
        }
      });
  return kExitOk;
}

absl::StatusOr<int> RunGet(Invocation& invocation) {
  v1::GetSessionRequest request;
  request.set_session_id(invocation.args.positionals()[0]);
  v1::GetSessionResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kGet, request, response));
  invocation.Print(
      response, [&] { PrintSession(invocation, response.session()); },
      [&] { invocation.out << response.session().session_id() << "\n"; });
  return kExitOk;
}

absl::StatusOr<int> RunSchedule(Invocation& invocation) {
  v1::GetScheduleResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kSchedule, v1::GetScheduleRequest(), response));
  invocation.Print(
      response,
      [&] {
        if (response.has_next_at()) {
          const absl::Time next = ToTime(response.next_at());
          invocation.out << "next:     " << HumanTime(next, invocation.zone) << ", in "
                         << HumanDuration(next - invocation.clock.Now()) << " ("
                         << WordOf(response.next_trigger()) << ")\n";
        } else {
          invocation.out << "next:     only by hand" << (response.watching() ? " or watching" : "")
                         << "\n";
        }
        invocation.out << "watching: " << (response.watching() ? "yes" : "no") << "\n";
        if (response.attempt() > 1) invocation.out << "attempt:  " << response.attempt() << "\n";
      },
      [] {});
  return kExitOk;
}

}  // namespace

Verb SyncCancelVerb() {
  return {.name = "sync cancel",
          .positionals = "",
          .summary = "Cancel the running synchronisation; what it committed stays.",
          .method = kCancel,
          .flags = {},
          .changes_state = true,
          .run = RunCancel};
}

Verb SyncListVerb() {
  return {.name = "sync list",
          .positionals = "",
          .summary = "List synchronisations, newest first.",
          .method = kList,
          .flags = {{"--limit", "N", "at most N; default: 20"}},
          .run = RunList};
}

Verb SyncGetVerb() {
  return {.name = "sync get",
          .positionals = "SESSION",
          .summary = "Show one synchronisation with its item results and errors.",
          .method = kGet,
          .flags = {},
          .positionals_min = 1,
          .positionals_max = 1,
          .run = RunGet};
}

Verb SyncScheduleVerb() {
  return {.name = "sync schedule",
          .positionals = "",
          .summary = "Show when the next synchronisation is due, and why.",
          .method = kSchedule,
          .flags = {},
          .run = RunSchedule};
}

}  // namespace sluice
