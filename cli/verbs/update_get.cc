// `update get`: all that is known about one update at this node.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/find_updates.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "sluice/v1/catalog_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kGetUpdate = "sluice.v1.CatalogService/GetUpdate";

std::string HeldBackText(const Invocation& invocation, const v1::UpdateSummary& summary) {
  const v1::SiteNotice& notice = summary.held_back();
  const std::string how =
      notice.suppressed()
          ? "suppressed"
          : absl::StrCat("held until ", HumanTime(ToTime(notice.held_until()), invocation.zone));
  return absl::StrCat(how, " by ", summary.held_back_by(),
                      notice.comment().empty() ? "" : absl::StrCat(": ", notice.comment()));
}

void PrintFacts(const Invocation& invocation, const v1::GetUpdateResponse& response) {
  const v1::UpdateSummary& summary = response.summary();
  Table facts({"FIELD", "VALUE"});
  facts.AddRow({"title", summary.title()});
  facts.AddRow({"update id", summary.update_id()});
  facts.AddRow(
      {"revision", absl::StrCat(summary.revision(), " (", summary.revision_digest(), ")")});
  for (const std::string& product : summary.products()) facts.AddRow({"product", product});
  facts.AddRow({"classification", summary.classification()});
  facts.AddRow({"severity", WordOf(summary.severity())});
  facts.AddRow({"state", WordOf(summary.state())});
  if (summary.has_held_back()) {
    facts.AddRow({"held back", HeldBackText(invocation, summary)});
  }
  facts.AddRow({"content", absl::StrCat(WordOf(summary.content()), ", ", summary.files_ready(),
                                        " of ", Plural(summary.files(), "file"), ", ",
                                        HumanBytes(summary.size_bytes()))});
  if (summary.expired()) {
    facts.AddRow({"expired", response.expiry_reason().empty() ? "yes" : response.expiry_reason()});
  }
  if (summary.missing_upstream()) facts.AddRow({"missing upstream", "kept here"});
  for (const v1::RevisionStatus& revision : response.revisions()) {
    if (!revision.current()) continue;
    const v1::Revision& payload = revision.payload();
    if (!payload.cves().empty()) facts.AddRow({"cves", absl::StrJoin(payload.cves(), ", ")});
    if (!payload.kb_articles().empty()) {
      facts.AddRow({"kb articles", absl::StrJoin(payload.kb_articles(), ", ")});
    }
    if (!payload.homepage().empty()) facts.AddRow({"homepage", payload.homepage()});
    if (!payload.licence().empty()) facts.AddRow({"licence", "must be accepted"});
  }
  facts.Print(invocation.out);
}

void PrintDecisions(const Invocation& invocation, const v1::GetUpdateResponse& response) {
  if (response.decisions().empty()) return;
  Table table({"DECISION", "GROUP", "DEADLINE", "BY", "COMMENT", "NOTES"});
  for (const v1::DecisionStatus& status : response.decisions()) {
    const bool is_approval = !status.group_id().empty();
    std::string what = is_approval ? WordOf(status.decision().action()) : status.key();
    if (status.decision().cleared()) what = absl::StrCat(status.key(), ", cleared");
    table.AddRow(
        {what, status.group_name().empty() ? status.group_id() : status.group_name(),
         status.has_deadline() ? HumanTime(ToTime(status.deadline()), invocation.zone) : "",
         status.decision().decided_by(), status.decision().comment(),
         absl::StrCat(status.pending() ? "pending " : "",
                      status.missing_upstream() ? "missing upstream" : "")});
  }
  invocation.out << "\n";
  table.Print(invocation.out);
}

void PrintFiles(const Invocation& invocation, const v1::GetUpdateResponse& response) {
  Table table({"REVISION", "FILE", "ARCHITECTURE", ">SIZE", "CONTENT", "DETAIL", "SHA-256"});
  for (const v1::RevisionStatus& revision : response.revisions()) {
    for (const v1::FileStatus& file : revision.files()) {
      table.AddRow({absl::StrCat(revision.revision(), revision.current() ? " (current)" : ""),
                    file.name(), file.architecture(), HumanBytes(file.size_bytes()),
                    WordOf(file.state()), file.detail(), file.sha256()});
    }
  }
  if (table.empty()) return;
  invocation.out << "\n";
  table.Print(invocation.out);
}

absl::StatusOr<int> RunUpdateGet(Invocation& invocation) {
  v1::GetUpdateRequest request;
  ASSIGN_OR_RETURN(const std::string id,
                   ResolveUpdate(invocation.caller, invocation.args.positionals()[0]));
  request.set_update_id(id);
  request.set_language(invocation.args.Get("--language"));
  v1::GetUpdateResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kGetUpdate, request, response));
  invocation.Print(
      response,
      [&] {
        PrintFacts(invocation, response);
        PrintDecisions(invocation, response);
        PrintFiles(invocation, response);
        if (!response.description().empty()) {
          invocation.out << "\n"
                         << Printable(response.description(), /*keep_line_breaks=*/true) << "\n";
        }
      },
      [&] { invocation.out << response.summary().update_id() << "\n"; });
  return kExitOk;
}

}  // namespace

Verb UpdateGetVerb() {
  return {.name = "update get",
          .positionals = "ID|TITLE",
          .summary = "Show one update: revisions, decisions, files and their state here.",
          .method = kGetUpdate,
          .flags = {{"--language", "TAG", "language of texts; default: en"}},
          .positionals_min = 1,
          .positionals_max = 1,
          .run = RunUpdateGet};
}

}  // namespace sluice
