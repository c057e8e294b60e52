// `sync start` and `sync watch`: synchronise, and see it happen.
#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/session_text.h"
#include "cli/verbs/verbs.h"
#include "sluice/v1/sync_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kStart = "sluice.v1.SyncService/StartSync";
constexpr absl::string_view kWatch = "sluice.v1.SyncService/WatchSync";
constexpr absl::string_view kGet = "sluice.v1.SyncService/GetSession";
constexpr absl::string_view kList = "sluice.v1.SyncService/ListSessions";

// How long to watch before asking whether the session has ended unseen.
constexpr absl::Duration kWatchTime = absl::Seconds(2);
// How often to do that before a session that was asked for counts as not begun.
constexpr int kBeginTriesMax = 15;

// Says what an event says that the one before did not.
class EventPrinter {
 public:
  explicit EventPrinter(Invocation& invocation)
      : invocation_(invocation), progress_(invocation.draws_progress, invocation.err) {}

  void Print(const v1::WatchSyncResponse& event) {
    if (invocation_.ForPrograms()) {
      invocation_.PrintEvent(event);
      return;
    }
    const v1::Session& session = event.session();
    if (HasEnded(session)) {
      progress_.Clear();
      invocation_.out << session.session_id() << " " << Printable(OutcomeText(session))
                      << std::endl;
    } else if (invocation_.draws_progress) {
      progress_.Draw(ProgressText(event));
    } else if (session.session_id() != session_id_ || session.phase() != phase_) {
      invocation_.err << session.session_id() << " " << Printable(ProgressText(event)) << std::endl;
    }
    session_id_ = session.session_id();
    phase_ = session.phase();
  }

 private:
  Invocation& invocation_;
  Progress progress_;
  std::string session_id_;
  v1::SyncPhase phase_ = v1::SYNC_PHASE_UNSPECIFIED;
};

int ExitCodeOfSession(const v1::Session& session) {
  return session.outcome() == v1::SYNC_OUTCOME_SUCCEEDED ? kExitOk : kExitFailure;
}

// Watches until the session has ended. An end between two watches is seen by asking for the session
// itself.
absl::StatusOr<int> WaitFor(Invocation& invocation, const std::string& session_id) {
  EventPrinter printer(invocation);
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  while (true) {
    v1::GetSessionResponse now;
    RETURN_IF_ERROR(invocation.caller.Unary(kGet, request, now));
    if (HasEnded(now.session())) {
      v1::WatchSyncResponse last;
      *last.mutable_session() = now.session();
      printer.Print(last);
      return ExitCodeOfSession(now.session());
    }
    v1::WatchSyncResponse event;
    const absl::Status watched =
        invocation.caller.ServerStream(kWatch, v1::WatchSyncRequest(), event, kWatchTime, [&] {
          if (event.session().session_id() != session_id) return true;
          if (HasEnded(event.session())) return false;
          printer.Print(event);
          return true;
        });
    if (!watched.ok() && watched.code() != absl::StatusCode::kDeadlineExceeded) return watched;
  }
}

// Empty when there was none yet.
absl::StatusOr<std::string> NewestSession(Invocation& invocation) {
  v1::ListSessionsRequest request;
  request.set_page_size(1);
  v1::ListSessionsResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kList, request, response));
  return response.sessions().empty() ? std::string() : response.sessions(0).session_id();
}

// Waits for a session with each of `sources`, or for one when there are none, that is newer than
// `before`: what a request causes may begin a moment later, or after the session that runs.
absl::StatusOr<int> WaitForEach(Invocation& invocation, const std::string& before,
                                std::set<std::string> sources) {
  EventPrinter printer(invocation);
  const bool any = sources.empty();
  std::set<std::string> seen;
  int exit_code = kExitOk;
  for (int quiet = 0; quiet < kBeginTriesMax; ++quiet) {
    v1::ListSessionsRequest request;
    request.set_page_size(kPageSize);
    v1::ListSessionsResponse newest;
    RETURN_IF_ERROR(invocation.caller.Unary(kList, request, newest));
    for (int i = newest.sessions_size(); i-- > 0;) {
      const v1::Session& session = newest.sessions(i);
      if (session.session_id() <= before || !HasEnded(session)) continue;
      if (!any && sources.count(session.peer()) == 0) continue;
      if (!seen.insert(session.session_id()).second) continue;
      v1::WatchSyncResponse last;
      *last.mutable_session() = session;
      printer.Print(last);
      exit_code = std::max(exit_code, ExitCodeOfSession(session));
      sources.erase(session.peer());
      quiet = 0;
    }
    if (any ? !seen.empty() : sources.empty()) return exit_code;
    v1::WatchSyncResponse event;
    const absl::Status watched =
        invocation.caller.ServerStream(kWatch, v1::WatchSyncRequest(), event, kWatchTime, [&] {
          const v1::Session& session = event.session();
          if (session.session_id().empty() || seen.count(session.session_id()) != 0) return true;
          if (HasEnded(session)) return session.session_id() <= before;
          quiet = 0;
          printer.Print(event);
          return true;
        });
    if (!watched.ok() && watched.code() != absl::StatusCode::kDeadlineExceeded) return watched;
  }
  return absl::UnavailableError("the synchronisation was asked for and did not begin");
}

absl::StatusOr<int> RunStart(Invocation& invocation) {
  v1::StartSyncRequest request;
  if (!invocation.args.positionals().empty()) {
    request.set_source(invocation.args.positionals()[0]);
  }
  if (invocation.dry_run) {
    invocation.err << "would start a synchronisation"
                   << (request.source().empty() ? "" : absl::StrCat(" with ", request.source()))
                   << "\n";
    return kExitOk;
  }
  const bool waits = invocation.args.Has("--wait");
  std::string before;
  if (waits) {
    ASSIGN_OR_RETURN(before, NewestSession(invocation));
  }
  v1::StartSyncResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kStart, request, response));
  if (waits) {
    if (!response.queued()) return WaitFor(invocation, response.session_id());
    return WaitForEach(invocation, before, {response.sources().begin(), response.sources().end()});
  }
  invocation.Print(
      response,
      [&] {
        if (response.queued()) {
          invocation.out << (response.session_id().empty()
                                 ? "it begins now\n"
                                 : "one is running; another follows it\n");
        } else {
          invocation.out << "started " << response.session_id() << "\n";
        }
      },
      [&] { invocation.out << response.session_id() << "\n"; });
  return kExitOk;
}

absl::StatusOr<int> RunWatch(Invocation& invocation) {
  EventPrinter printer(invocation);
  const bool once = invocation.args.Has("--once");
  int exit_code = kExitOk;
  v1::WatchSyncResponse event;
  RETURN_IF_ERROR(invocation.caller.ServerStream(kWatch, v1::WatchSyncRequest(), event,
                                                 absl::InfiniteDuration(), [&] {
                                                   printer.Print(event);
                                                   if (!once || !HasEnded(event.session()))
                                                     return true;
                                                   exit_code = ExitCodeOfSession(event.session());
                                                   return false;
                                                 }));
  return exit_code;
}

}  // namespace

Verb SyncStartVerb() {
  return {.name = "sync start",
          .positionals = "[SOURCE]",
          .summary = "Synchronise now with the upstream, or import from SOURCE or all sources.",
          .method = kStart,
          .flags = {{"--wait", "", "watch until it has ended; exit 1 unless it succeeded"}},
          .positionals_max = 1,
          .changes_state = true,
          .run = RunStart};
}

Verb SyncWatchVerb() {
  return {.name = "sync watch",
          .positionals = "",
          .summary = "Watch synchronisations until interrupted.",
          .method = kWatch,
          .flags = {{"--once", "", "until one has ended; exit 1 unless it succeeded"}},
          .run = RunWatch};
}

}  // namespace sluice
