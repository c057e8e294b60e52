// `parity check` and `parity show`: whether nodes hold what their selections say.
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/parity_formats.h"
#include "cli/verbs/verbs.h"
#include "common/duration_text.h"
#include "common/errors.h"
#include "common/status.h"
#include "sluice/v1/parity_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kCheck = "sluice.v1.ParityService/Check";
constexpr absl::string_view kGet = "sluice.v1.ParityService/GetParity";
// Rows of the table; all findings are counted, and -o json shows them all.
constexpr int kFindingsShown = 1000;
constexpr absl::Duration kWaitMax = absl::Hours(1);

// How the result is said: as everywhere, or for monitoring.
enum class Format { kUsual, kNagios, kTextfile };

std::string Subject(const v1::Finding& finding) {
  if (!finding.file_name().empty()) return absl::StrCat(finding.title(), ": ", finding.file_name());
  return finding.title().empty() ? finding.id() : finding.title();
}

Table FindingsTable() {
  return Table({"CLASS", "KIND", "WHAT", ">HERE", ">UPSTREAM", "NODE", "SINCE", "STANDING",
                "REASON", "CAUSE", "REMEDY"});
}

void AddRow(const Invocation& invocation, const v1::Finding& finding, Table& table) {
  const auto revision = [](uint32_t number) {
    return number == 0 ? std::string("-") : absl::StrCat(number);
  };
  const absl::Duration age = invocation.clock.Now() - ToTime(finding.first_seen());
  table.AddRow({WordOf(finding.finding_class()), WordOf(finding.kind()), Subject(finding),
                revision(finding.revision_here()), revision(finding.revision_upstream()),
                finding.node_name().empty() ? "-" : finding.node_name(),
                finding.has_first_seen() ? HumanDuration(age) : "-",
                finding.standing() ? "yes" : "no", finding.reason(), finding.cause(),
                finding.remedy()});
}

void PrintSummary(const Invocation& invocation, const v1::CheckSummary& summary) {
  invocation.out << (summary.in_parity() ? "in parity" : "not in parity") << " with "
                 << Printable(summary.upstream_name()) << " (" << Printable(summary.upstream_id())
                 << "): " << Plural(summary.findings(), "finding") << ", "
                 << summary.findings_standing() << " standing, "
                 << Plural(summary.shards_compared(), "shard") << " compared, "
                 << summary.shards_differing() << " differing, " << summary.records_here()
                 << " records here, " << summary.records_upstream() << " upstream, "
                 << Plural(summary.files_checked(), "file") << " checked\n";
}

void PrintNode(const Invocation& invocation, const v1::NodeParity& node) {
  const v1::ParityState& state = node.state();
  invocation.out << Printable(node.node_name()) << ": ";
  if (node.overdue()) {
    invocation.out << "did not answer in time\n";
  } else if (!state.failed_reason().empty()) {
    invocation.out << "could not compare: " << Printable(state.failed_message()) << "\n";
  } else {
    PrintSummary(invocation, state.summary());
  }
}

absl::StatusOr<Format> FormatOf(Invocation& invocation) {
  const std::string format = invocation.args.Get("--format");
  if (invocation.args.Has("--output-file") && format != "nagios" && format != "textfile") {
    return UsageError("--output-file needs --format nagios or textfile");
  }
  if (format == "nagios") return Format::kNagios;
  if (format == "textfile") return Format::kTextfile;
  if (format == "json") invocation.format = OutputFormat::kJson;
  if (!format.empty() && format != "json" && format != "text") {
    return UsageError(absl::StrCat("\"", format, "\" is none of text, json, nagios, textfile"));
  }
  return Format::kUsual;
}

absl::StatusOr<v1::CheckRequest> RequestOf(const Invocation& invocation) {
  v1::CheckRequest request;
  request.set_verify_content(invocation.args.Has("--content"));
  request.set_subtree(invocation.args.Has("--subtree"));
  if (!invocation.args.Has("--wait-for")) return request;
  if (!request.subtree()) return UsageError("--wait-for goes with --subtree");
  const absl::StatusOr<absl::Duration> wait = ParseDurationText(invocation.args.Get("--wait-for"));
  if (!wait.ok()) return UsageError(wait.status().message());
  if (*wait < absl::Seconds(1) || *wait > kWaitMax) {
    return UsageError("--wait-for must be from 1s to 1h");
  }
  request.set_wait_seconds(static_cast<int32_t>(absl::ToInt64Seconds(*wait)));
  return request;
}

// Takes the messages of one check in.
class Listener {
 public:
  Listener(Invocation& invocation, Format format)
      : invocation_(invocation), quiet_(format != Format::kUsual), table_(FindingsTable()) {}

  void Take(const v1::CheckResponse& event) {
    if (!quiet_ && invocation_.ForPrograms()) invocation_.PrintEvent(event);
    if (event.has_summary()) {
      result_.summary = event.summary();
      summarised_ = true;
    } else if (event.has_node()) {
      TakeNode(event.node());
    } else if (event.has_finding()) {
      if (++findings_ <= kFindingsShown) AddRow(invocation_, event.finding(), table_);
      if (!quiet_ && invocation_.format == OutputFormat::kName) {
        invocation_.out << event.finding().id() << "\n";
      }
    }
  }

  // None: the check ended without a summary.
  std::optional<ParityResult> Finish() {
    if (!summarised_) return std::nullopt;
    result_.standing = result_.summary.findings_standing();
    for (int number = 1; number <= v1::FindingClass_MAX; ++number) {
      const bool counted = number < result_.summary.findings_by_class_size();
      result_.by_class[static_cast<v1::FindingClass>(number)] =
          counted ? result_.summary.findings_by_class(number) : 0;
    }
    return result_;
  }

  void PrintTable() {
    if (quiet_ || invocation_.format != OutputFormat::kTable) return;
    if (!table_.empty()) table_.Print(invocation_.out);
    if (findings_ > kFindingsShown) {
      invocation_.out << "and " << findings_ - kFindingsShown << " more; -o json shows all\n";
    }
    for (const v1::NodeParity& node : nodes_) PrintNode(invocation_, node);
    if (nodes_.empty()) {
      PrintSummary(invocation_, result_.summary);
    } else {
      invocation_.out << (result_.summary.in_parity() ? "all in parity" : "not all in parity")
                      << ": " << Plural(result_.summary.findings(), "finding") << ", "
                      << result_.summary.findings_standing() << " standing\n";
    }
  }

 private:
  void TakeNode(const v1::NodeParity& node) {
    nodes_.push_back(node);
    if (node.overdue() || !node.state().failed_reason().empty()) {
      result_.nodes_unknown.push_back(node.node_name());
    } else {
      ++result_.nodes_checked;
    }
  }

  Invocation& invocation_;
  const bool quiet_;
  Table table_;
  ParityResult result_;
  std::vector<v1::NodeParity> nodes_;
  int64_t findings_ = 0;
  bool summarised_ = false;
};

// Says it for monitoring, to stdout or into the file.
absl::StatusOr<int> Tell(Invocation& invocation, Format format, const ParityResult& result,
                         const absl::Status& unknown) {
  const std::string text = format == Format::kNagios
                               ? NagiosLine(result, unknown)
                               : TextfileMetrics(result, unknown.ok(), invocation.clock.Now());
  if (invocation.args.Has("--output-file")) {
    const absl::Status written = WriteFileWhole(invocation.args.Get("--output-file"), text);
    if (!written.ok()) {
      invocation.err << "sluice: " << written.message() << "\n";
      return kExitUnknown;
    }
  } else {
    invocation.out << text;
  }
  return unknown.ok() ? result.exit_code() : kExitUnknown;
}

absl::StatusOr<int> RunCheck(Invocation& invocation) {
  ASSIGN_OR_RETURN(const Format format, FormatOf(invocation));
  ASSIGN_OR_RETURN(const v1::CheckRequest request, RequestOf(invocation));
  Listener listener(invocation, format);
  v1::CheckResponse event;
  absl::Status checked =
      invocation.caller.ServerStream(kCheck, request, event, absl::InfiniteDuration(), [&] {
        listener.Take(event);
        return true;
      });
  const std::optional<ParityResult> result = listener.Finish();
  if (checked.ok() && !result.has_value()) {
    checked = absl::InternalError("the check ended without a summary");
  }
  if (format != Format::kUsual) {
    return Tell(invocation, format, result.value_or(ParityResult()), checked);
  }
  if (!checked.ok()) {
    PrintFailure(checked, invocation.err);
    return kExitUnknown;
  }
  listener.PrintTable();
  return result->exit_code();
}

absl::StatusOr<int> RunShow(Invocation& invocation) {
  v1::GetParityRequest request;
  if (!invocation.args.positionals().empty()) request.set_node(invocation.args.positionals()[0]);
  v1::GetParityResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kGet, request, response));
  const v1::ParityState& state = response.node().state();
  invocation.Print(
      response,
      [&] {
        Table table = FindingsTable();
        for (const v1::Finding& finding : response.findings()) AddRow(invocation, finding, table);
        if (!table.empty()) table.Print(invocation.out);
        PrintNode(invocation, response.node());
        if (!state.has_summary()) return;
        const absl::Time at = ToTime(state.summary().checked_at());
        invocation.out << "compared " << HumanTime(at, invocation.zone) << " ("
                       << HumanDuration(invocation.clock.Now() - at) << " ago), because of "
                       << WordOf(state.summary().trigger()) << "\n";
      },
      [&] {
        for (const v1::Finding& finding : response.findings()) {
          invocation.out << finding.id() << "\n";
        }
      });
  ParityResult result;
  result.summary = state.summary();
  result.standing = state.summary().findings_standing();
  const bool unknown = !state.failed_reason().empty() || !state.has_summary();
  return unknown && result.standing == 0 ? kExitUnknown : result.exit_code();
}

}  // namespace

Verb ParityCheckVerb() {
  return {.name = "parity check",
          .positionals = "",
          .summary =
              "Compare this node with its upstream. Exit 0 in parity, 1 differences, "
              "2 standing ones, 3 unknown.",
          .method = kCheck,
          .flags = {{"--content", "",
                     "read and hash every wanted file, and look through the whole catalog, too"},
                    {"--subtree", "", "have all nodes below compare themselves as well"},
                    {"--wait-for", "DURATION", "how long to wait for nodes below; default 120s"},
                    {"--format", "text|json|nagios|textfile",
                     "for monitoring: a Nagios plugin's line, or Prometheus' text format"},
                    {"--output-file", "FILE", "write that there, whole or not at all"}},
          .run = RunCheck};
}

Verb ParityShowVerb() {
  return {.name = "parity show",
          .positionals = "[NODE]",
          .summary =
              "Show what the last check of this node, or of one below it, found. Exits as parity "
              "check.",
          .method = kGet,
          .flags = {},
          .positionals_max = 1,
          .run = RunShow};
}

}  // namespace sluice
