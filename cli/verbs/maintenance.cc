// `content verify`, `condition list`, `audit list`, `audit verify`: care for one node.
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "sluice/v1/maintenance_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kVerify = "sluice.v1.MaintenanceService/VerifyContent";
constexpr absl::string_view kConditions = "sluice.v1.MaintenanceService/ListConditions";
constexpr absl::string_view kAuditVerify = "sluice.v1.MaintenanceService/VerifyAudit";
constexpr absl::string_view kAudit = "sluice.v1.MaintenanceService/ListAuditEntries";
constexpr int kEntriesShown = 50;

std::string SummaryText(const v1::VerifyContentSummary& summary) {
  return absl::StrCat(Plural(summary.files(), "file"), " (", HumanBytes(summary.bytes()),
                      ") read, ", Plural(summary.problems(), "problem"), ", ", summary.refetching(),
                      " being fetched again");
}

absl::StatusOr<int> RunVerify(Invocation& invocation) {
  v1::VerifyContentRequest request;
  request.set_validate_only(invocation.dry_run);
  Progress progress(invocation.draws_progress && !invocation.ForPrograms(), invocation.err);
  v1::VerifyContentSummary summary;
  int64_t problems = 0;
  v1::VerifyContentResponse event;
  RETURN_IF_ERROR(
      invocation.caller.ServerStream(kVerify, request, event, absl::InfiniteDuration(), [&] {
        if (event.has_summary()) {
          summary = event.summary();
          progress.Draw(SummaryText(summary));
        }
        problems += event.has_problem();
        if (invocation.ForPrograms()) {
          invocation.PrintEvent(event);
        } else if (event.has_problem()) {
          progress.Clear();
          invocation.out << event.problem().sha256();
          if (invocation.format == OutputFormat::kTable) {
            invocation.out << "  " << Printable(event.problem().reason()) << "  "
                           << Printable(event.problem().detail());
          }
          invocation.out << std::endl;
        }
        return true;
      }));
  progress.Clear();
  if (!invocation.ForPrograms()) invocation.err << SummaryText(summary) << "\n";
  return problems > 0 || summary.problems() > 0 ? kExitFailure : kExitOk;
}

absl::StatusOr<int> RunConditions(Invocation& invocation) {
  v1::ListConditionsResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kConditions, v1::ListConditionsRequest(), response));
  invocation.Print(
      response,
      [&] {
        Table table({"REASON", "SINCE", "MESSAGE", "CAUSE", "REMEDY"});
        for (const v1::Condition& condition : response.conditions()) {
          table.AddRow({condition.reason(), HumanTime(ToTime(condition.since()), invocation.zone),
                        condition.message(), condition.cause(), condition.remedy()});
        }
        if (table.empty()) {
          invocation.err << "no standing problems\n";
        } else {
          table.Print(invocation.out);
        }
      },
      [&] {
        for (const auto& condition : response.conditions()) {
          invocation.out << condition.reason() << "\n";
        }
      });
  return kExitOk;
}

absl::StatusOr<int> RunAudit(Invocation& invocation) {
  int limit = kEntriesShown;
  if (invocation.args.Has("--limit") &&
      (!absl::SimpleAtoi(invocation.args.Get("--limit"), &limit) || limit < 1)) {
    return UsageError("--limit needs a number from 1");
  }
  v1::ListAuditEntriesRequest request;
  request.set_page_size(limit < kPageSize ? limit : kPageSize);
  ASSIGN_OR_RETURN(auto response, ListPages<v1::ListAuditEntriesResponse>(
                                      invocation.caller, kAudit, request,
                                      [limit](const v1::ListAuditEntriesResponse& all) {
                                        return all.entries_size() >= limit;
                                      }));
  if (response.entries_size() > limit) {
    response.mutable_entries()->DeleteSubrange(limit, response.entries_size() - limit);
  }
  invocation.Print(
      response,
      [&] {
        Table table({">ENTRY", "AT", "ACTOR", "ACTION", "SUBJECT", "DETAIL"});
        for (const v1::AuditEntry& entry : response.entries()) {
          table.AddRow({absl::StrCat(entry.entry_id()),
                        HumanTime(ToTime(entry.at()), invocation.zone), entry.actor(),
                        entry.action(), entry.subject(), entry.detail()});
        }
        table.Print(invocation.out);
      },
      [&] {
        for (const auto& entry : response.entries()) invocation.out << entry.entry_id() << "\n";
      });
  return kExitOk;
}

absl::StatusOr<int> RunAuditVerify(Invocation& invocation) {
  v1::VerifyAuditResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kAuditVerify, v1::VerifyAuditRequest(), response));
  invocation.Print(
      response,
      [&] {
        if (response.problem().empty()) {
          invocation.out << response.entries() << " entries, unbroken; head "
                         << absl::BytesToHexString(response.head_hash()) << "\n";
        } else {
          invocation.out << "BROKEN: " << Printable(response.problem()) << "\n";
        }
      },
      [] {});
  return response.problem().empty() ? kExitOk : kExitFailure;
}

}  // namespace

Verb AuditVerifyVerb() {
  return {.name = "audit verify",
          .positionals = "",
          .summary = "Recompute the chain of hashes over the audit.",
          .method = kAuditVerify,
          .flags = {},
          .run = RunAuditVerify};
}

Verb ContentVerifyVerb() {
  return {.name = "content verify",
          .positionals = "",
          .summary = "Read and hash every stored file; wrong ones are set aside and fetched again.",
          .method = kVerify,
          .flags = {},
          .changes_state = true,
          .run = RunVerify};
}

Verb ConditionListVerb() {
  return {.name = "condition list",
          .positionals = "",
          .summary = "List standing problems with cause and remedy.",
          .method = kConditions,
          .flags = {},
          .run = RunConditions};
}

Verb AuditListVerb() {
  return {.name = "audit list",
          .positionals = "",
          .summary = "List decisions and administrative changes made at this node, newest first.",
          .method = kAudit,
          .flags = {{"--limit", "N", "at most N; default: 50"}},
          .run = RunAudit};
}

}  // namespace sluice
