#include "cli/verbs/parity_formats.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cli/failure.h"
#include "cli/human.h"

namespace sluice {
namespace {

// "missing_upstream"
std::string ClassWord(v1::FindingClass finding_class) {
  return absl::AsciiStrToLower(
      absl::StripPrefix(v1::FindingClass_Name(finding_class), "FINDING_CLASS_"));
}

// What would end a plugin's text: the bar begins its numbers, a line break the next line.
std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "/"}, {"\n", " "}, {"\r", " "}});
}

// "2 missing downstream, 1 content corrupt"
std::string ClassesText(const ParityResult& result) {
  std::vector<std::string> parts;
  for (const auto& [finding_class, count] : result.by_class) {
    if (count == 0) continue;
    parts.push_back(
        absl::StrCat(count, " ", absl::StrReplaceAll(ClassWord(finding_class), {{"_", " "}})));
  }
  return absl::StrJoin(parts, ", ");
}

std::string ResultText(const ParityResult& result) {
  std::string text = result.summary.findings() == 0 && result.nodes_unknown.empty()
                         ? "in parity"
                         : Plural(result.summary.findings(), "finding");
  if (!result.summary.upstream_name().empty()) {
    absl::StrAppend(&text, " with ", result.summary.upstream_name());
  }
  if (const std::string classes = ClassesText(result); !classes.empty()) {
    absl::StrAppend(&text, ": ", classes);
  }
  if (result.nodes_checked > 0) absl::StrAppend(&text, "; ", result.nodes_checked, " nodes");
  if (!result.nodes_unknown.empty()) {
    absl::StrAppend(&text, "; no answer from ", absl::StrJoin(result.nodes_unknown, ", "));
  }
  return text;
}

void AddGauge(absl::string_view name, absl::string_view help, absl::string_view samples,
              std::string& text) {
  absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n", samples);
}

void AddNumber(absl::string_view name, absl::string_view help, int64_t value, std::string& text) {
  AddGauge(name, help, absl::StrCat(name, " ", value, "\n"), text);
}

absl::Status FileError(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

}  // namespace

int ParityResult::exit_code() const {
  if (standing > 0) return kExitStandingLoss;
  if (!nodes_unknown.empty()) return kExitUnknown;
  return summary.findings() == 0 ? kExitOk : kExitDifferences;
}

std::string NagiosLine(const ParityResult& result, const absl::Status& unknown) {
  if (!unknown.ok()) return absl::StrCat("PARITY UNKNOWN - ", OneLine(unknown.message()), "\n");
  constexpr absl::string_view kStates[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
  std::string line =
      absl::StrCat("PARITY ", kStates[result.exit_code()], " - ", OneLine(ResultText(result)));
  // Warn above 0 findings, alarm above 0 standing ones.
  absl::StrAppend(&line, " | findings=", result.summary.findings(), ";0 standing=", result.standing,
                  ";;0 records_here=", result.summary.records_here(),
                  " records_upstream=", result.summary.records_upstream(),
                  " files=", result.summary.files_checked());
  return absl::StrCat(line, " wire=", result.summary.wire_bytes(), "B\n");
}

std::string TextfileMetrics(const ParityResult& result, bool known, absl::Time now) {
  std::string text;
  AddNumber("sluice_parity_check_known", "1 when the check came to a result.", known ? 1 : 0, text);
  AddNumber("sluice_parity_check_timestamp_seconds",
            "When the check was made, in seconds since 1970.", absl::ToUnixSeconds(now), text);
  if (!known) return text;
  std::string samples;
  for (const auto& [finding_class, count] : result.by_class) {
    absl::StrAppend(&samples, "sluice_parity_check_findings{class=\"", ClassWord(finding_class),
                    "\"} ", count, "\n");
  }
  AddGauge("sluice_parity_check_findings", "Differences that the check found, by class.", samples,
           text);
  AddNumber("sluice_parity_check_standing_findings",
            "Differences that will not go away by themselves.", result.standing, text);
  AddNumber("sluice_parity_check_in_parity", "1 when nothing differs.",
            result.exit_code() == kExitOk ? 1 : 0, text);
  AddNumber("sluice_parity_check_unknown_nodes",
            "Nodes below that did not answer, or could not compare.",
            static_cast<int64_t>(result.nodes_unknown.size()), text);
  AddNumber("sluice_parity_check_records_here", "Records of this node that were compared.",
            result.summary.records_here(), text);
  AddNumber("sluice_parity_check_records_upstream", "Records of the upstream that were compared.",
            result.summary.records_upstream(), text);
  return text;
}

absl::Status WriteFileWhole(const std::string& path, const std::string& text) {
  const std::string part = absl::StrCat(path, ".", getpid(), ".part");
  std::FILE* const file = std::fopen(part.c_str(), "w");
  if (file == nullptr) return FileError("creating", part);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() &&
                       std::fflush(file) == 0 && fsync(fileno(file)) == 0;
  const absl::Status failure = written ? absl::OkStatus() : FileError("writing", part);
  std::fclose(file);
  if (failure.ok() && std::rename(part.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const absl::Status why = failure.ok() ? FileError("renaming to", path) : failure;
  unlink(part.c_str());
  return why;
}

}  // namespace sluice
