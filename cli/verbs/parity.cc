// `parity check` and `parity fix`: whether this node holds what its selection says, and mending it.
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/errors.h"
#include "sluice/v1/parity_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kCheck = "sluice.v1.ParityService/Check";
constexpr absl::string_view kFix = "sluice.v1.ParityService/Fix";
// Rows of the table; all findings are counted, and -o json shows them all.
constexpr int kFindingsShown = 1000;

// Something that no synchronisation brings back by itself.
bool IsStandingLoss(const v1::Finding& finding) {
  return finding.finding_class() == v1::FINDING_CLASS_MISSING_UPSTREAM ||
         finding.finding_class() == v1::FINDING_CLASS_CONTENT_CORRUPT ||
         finding.reason() == ReasonName(v1::REASON_CONTENT_SOURCE_GONE);
}

std::string Subject(const v1::Finding& finding) {
  if (!finding.file_name().empty()) return absl::StrCat(finding.title(), ": ", finding.file_name());
  return finding.title().empty() ? finding.id() : finding.title();
}

void AddRow(const v1::Finding& finding, Table& table) {
  const auto revision = [](uint32_t number) {
    return number == 0 ? std::string("-") : absl::StrCat(number);
  };
  table.AddRow({WordOf(finding.finding_class()), WordOf(finding.kind()), Subject(finding),
                revision(finding.revision_here()), revision(finding.revision_upstream()),
                finding.reason(), finding.cause(), finding.remedy()});
}

void PrintSummary(const Invocation& invocation, const v1::CheckSummary& summary) {
  invocation.out << (summary.in_parity() ? "in parity" : "not in parity") << " with "
                 << Printable(summary.upstream_name()) << " (" << Printable(summary.upstream_id())
                 << "): " << Plural(summary.findings(), "finding") << ", "
                 << Plural(summary.shards_compared(), "shard") << " compared, "
                 << summary.shards_differing() << " differing, " << summary.records_here()
                 << " records here, " << summary.records_upstream() << " upstream, "
                 << Plural(summary.files_checked(), "file") << " checked\n";
}

absl::StatusOr<int> RunCheck(Invocation& invocation) {
  v1::CheckRequest request;
  request.set_verify_content(invocation.args.Has("--content"));
  Table table({"CLASS", "KIND", "WHAT", ">HERE", ">UPSTREAM", "REASON", "CAUSE", "REMEDY"});
  int64_t findings = 0;
  bool lost = false;
  bool summarised = false;
  v1::CheckSummary summary;
  v1::CheckResponse event;
  const absl::Status checked =
      invocation.caller.ServerStream(kCheck, request, event, absl::InfiniteDuration(), [&] {
        if (invocation.ForPrograms()) invocation.PrintEvent(event);
        if (event.has_summary()) {
          summary = event.summary();
          summarised = true;
          return true;
        }
        if (!event.has_finding()) return true;
        lost = lost || IsStandingLoss(event.finding());
        if (++findings <= kFindingsShown) AddRow(event.finding(), table);
        if (invocation.format == OutputFormat::kName) {
          invocation.out << event.finding().id() << "\n";
        }
        return true;
      });
  if (!checked.ok()) {
    PrintFailure(checked, invocation.err);
    return kExitUnknown;
  }
  if (!summarised) {
    invocation.err << "sluice: the check ended without a summary\n";
    return kExitUnknown;
  }
  if (invocation.format == OutputFormat::kTable) {
    if (!table.empty()) table.Print(invocation.out);
    if (findings > kFindingsShown) {
      invocation.out << "and " << findings - kFindingsShown << " more; -o json shows all\n";
    }
    PrintSummary(invocation, summary);
  }
  if (lost) return kExitStandingLoss;
  return summary.in_parity() && findings == 0 ? kExitOk : kExitDifferences;
}

absl::StatusOr<int> RunFix(Invocation& invocation) {
  v1::FixRequest request;
  request.set_validate_only(invocation.dry_run);
  v1::FixResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kFix, request, response));
  invocation.Print(
      response,
      [&] {
        if (response.actions().empty()) invocation.out << "nothing to do\n";
        for (const std::string& action : response.actions()) {
          invocation.out << (invocation.dry_run ? "would: " : "") << Printable(action) << "\n";
        }
      },
      [] {});
  return kExitOk;
}

}  // namespace

Verb ParityCheckVerb() {
  return {.name = "parity check",
          .positionals = "",
          .summary =
              "Compare this node with its upstream. Exit 0 in parity, 1 differences, "
              "2 standing loss, 3 unknown.",
          .method = kCheck,
          .flags = {{"--content", "", "read and hash every wanted file, too"}},
          .run = RunCheck};
}

Verb ParityFixVerb() {
  return {.name = "parity fix",
          .positionals = "",
          .summary = "Mend what can be mended from here: synchronise, fetch wrong files again.",
          .method = kFix,
          .flags = {},
          .changes_state = true,
          .run = RunFix};
}

}  // namespace sluice
