#include "cli/verbs/session_text.h"

#include "absl/strings/str_cat.h"
#include "cli/human.h"
#include "cli/table.h"

namespace sluice {
namespace {

int64_t Records(const v1::SyncCounts& counts) {
  return counts.categories() + counts.revisions() + counts.expiries() + counts.policies() +
         counts.groups();
}

std::string CountsText(const v1::SyncCounts& counts) {
  std::string text = Plural(Records(counts), "record");
  if (counts.files() > 0) {
    absl::StrAppend(&text, ", ", Plural(counts.files(), "file"), " (",
                    HumanBytes(counts.file_bytes()), ")");
  }
  return text;
}

std::string Duration(const v1::Session& session) {
  if (!session.has_ended_at()) return "-";
  return HumanDuration(ToTime(session.ended_at()) - ToTime(session.started_at()));
}

void PrintCounts(const Invocation& invocation, const v1::SyncCounts& counts) {
  Table table({"COUNT", ">VALUE"});
  const auto add = [&](absl::string_view what, int64_t count) {
    if (count != 0) table.AddRow({std::string(what), absl::StrCat(count)});
  };
  add("categories", counts.categories());
  add("revisions", counts.revisions());
  add("expiries", counts.expiries());
  add("policies", counts.policies());
  add("groups", counts.groups());
  add("left the selection", counts.left());
  add("deleted", counts.deleted());
  add("adopted without fetching", counts.adopted());
  add("kept, missing upstream", counts.kept());
  add("files", counts.files());
  add("calls", counts.calls());
  if (counts.file_bytes() != 0) table.AddRow({"file bytes", HumanBytes(counts.file_bytes())});
  if (counts.record_bytes() != 0) table.AddRow({"record bytes", HumanBytes(counts.record_bytes())});
  if (table.empty()) return;
  invocation.out << "\n";
  table.Print(invocation.out);
}

void PrintItems(const Invocation& invocation, const v1::Session& session) {
  if (session.items().empty()) return;
  Table table({"ITEM", "REASON", "MESSAGE"});
  for (const v1::SyncItem& item : session.items()) {
    table.AddRow({item.item(), item.status().reason(), item.status().message()});
  }
  invocation.out << "\n";
  table.Print(invocation.out);
  if (session.items_failed() > session.items_size()) {
    invocation.out << "and " << session.items_failed() - session.items_size() << " more\n";
  }
}

void PrintErrors(const Invocation& invocation, const v1::Session& session) {
  for (const v1::SyncError& error : session.errors()) {
    invocation.out << "\nerror: " << Printable(error.message()) << " (" << Printable(error.reason())
                   << ")\n";
    if (!error.cause().empty()) invocation.out << "  cause:  " << Printable(error.cause()) << "\n";
    if (!error.remedy().empty()) {
      invocation.out << "  remedy: " << Printable(error.remedy()) << "\n";
    }
  }
}

}  // namespace

bool HasEnded(const v1::Session& session) {
  return session.outcome() != v1::SYNC_OUTCOME_UNSPECIFIED &&
         session.outcome() != v1::SYNC_OUTCOME_RUNNING;
}

std::string ProgressText(const v1::WatchSyncResponse& event) {
  const v1::Session& session = event.session();
  std::string text = WordOf(session.phase());
  if (event.phase_total() > 0) {
    absl::StrAppend(&text, " ", event.phase_done(), "/", event.phase_total());
  }
  return absl::StrCat(text, ", ", session.peer(), ": ", CountsText(session.counts()));
}

std::string OutcomeText(const v1::Session& session) {
  std::string text =
      absl::StrCat(WordOf(session.outcome()), " after ", Duration(session), ": ",
                   session.summary().empty() ? CountsText(session.counts()) : session.summary());
  if (session.items_failed() > 0) {
    absl::StrAppend(&text, "; ", Plural(session.items_failed(), "item"), " could not be had");
  }
  if (!session.errors().empty()) {
    const v1::SyncError& error = session.errors(0);
    absl::StrAppend(&text, "; ", error.message(), " (", error.reason(), ")");
  }
  return text;
}

void PrintSession(const Invocation& invocation, const v1::Session& session) {
  Table table({"FIELD", "VALUE"});
  table.AddRow({"session", session.session_id()});
  table.AddRow({"peer", session.peer_id().empty()
                            ? session.peer()
                            : absl::StrCat(session.peer(), " (", session.peer_id(), ")")});
  table.AddRow(
      {"trigger",
       absl::StrCat(WordOf(session.trigger()),
                    session.attempt() > 1 ? absl::StrCat(", attempt ", session.attempt()) : "")});
  table.AddRow({"started", HumanTime(ToTime(session.started_at()), invocation.zone)});
  table.AddRow({"took", Duration(session)});
  table.AddRow({"method", WordOf(session.method())});
  table.AddRow({"phase", WordOf(session.phase())});
  table.AddRow({"outcome", WordOf(session.outcome())});
  table.AddRow({"seq", absl::StrCat(session.from_seq(), " to ", session.to_seq())});
  if (!session.summary().empty()) table.AddRow({"summary", session.summary()});
  table.Print(invocation.out);
  PrintCounts(invocation, session.counts());
  PrintItems(invocation, session);
  PrintErrors(invocation, session);
}

void PrintSessions(const Invocation& invocation, const v1::ListSessionsResponse& response) {
  Table table({"SESSION", "STARTED", "TRIGGER", "PEER", "METHOD", "OUTCOME", ">TOOK", ">RECORDS",
               ">FILES", ">FAILED", "SUMMARY"});
  for (const v1::Session& session : response.sessions()) {
    table.AddRow({session.session_id(), HumanTime(ToTime(session.started_at()), invocation.zone),
                  WordOf(session.trigger()), session.peer(), WordOf(session.method()),
                  WordOf(session.outcome()), Duration(session),
                  absl::StrCat(Records(session.counts())), absl::StrCat(session.counts().files()),
                  absl::StrCat(session.items_failed()), session.summary()});
  }
  table.Print(invocation.out);
}

}  // namespace sluice
