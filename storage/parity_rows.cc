#include "storage/parity_rows.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

// Findings begin with the number of their class, so they sort before these.
constexpr absl::string_view kStateKey = "state";
constexpr absl::string_view kSummaryPrefix = "summary/";
constexpr absl::string_view kSummaryEnd = "summary0";
constexpr int kFindingsMax = 1'000'000;

std::string SummaryKey(int64_t number) { return absl::StrFormat("summary/%016d", number); }

}  // namespace

std::string FindingRowKey(const v1::Finding& finding) {
  std::string key = absl::StrCat(finding.finding_class(), "/", finding.kind(), "/", finding.id(),
                                 "/", finding.sha256());
  // Of one update several revisions can be missing.
  const bool one_of_several = finding.kind() == v1::RECORD_KIND_REVISION &&
                              finding.revision_upstream() == 0 && finding.revision_here() > 1;
  if (one_of_several) absl::StrAppend(&key, finding.revision_here());
  return key;
}

absl::StatusOr<std::vector<std::pair<std::string, v1::Finding>>> ReadFindingRows(
    const CatalogReader& reader) {
  return reader.ListRows<v1::Finding>(Family::kFindings, "", kStateKey, kFindingsMax);
}

absl::StatusOr<std::vector<std::pair<std::string, v1::CheckSummary>>> ReadSummaryRows(
    const CatalogReader& reader) {
  return reader.ListRows<v1::CheckSummary>(Family::kFindings, kSummaryPrefix, kSummaryEnd,
                                           2 * kParitySummariesMax);
}

absl::StatusOr<v1::ParityState> ReadParityState(const CatalogReader& reader) {
  absl::StatusOr<v1::ParityState> state =
      reader.GetRow<v1::ParityState>(Family::kFindings, kStateKey);
  if (absl::IsNotFound(state.status())) return v1::ParityState();
  return state;
}

int TimesSeen(const std::vector<std::pair<std::string, v1::CheckSummary>>& summaries,
              const google::protobuf::Timestamp& first_seen) {
  return static_cast<int>(std::count_if(summaries.begin(), summaries.end(), [&](const auto& row) {
    return row.second.checked_at() >= first_seen;
  }));
}

absl::StatusOr<std::vector<v1::Finding>> ReadFindings(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(auto rows, ReadFindingRows(reader));
  ASSIGN_OR_RETURN(const auto summaries, ReadSummaryRows(reader));
  std::vector<v1::Finding> findings;
  for (auto& [key, finding] : rows) {
    finding.set_times_seen(TimesSeen(summaries, finding.first_seen()));
    if (!summaries.empty()) *finding.mutable_last_seen() = summaries.back().second.checked_at();
    findings.push_back(std::move(finding));
  }
  std::stable_partition(findings.begin(), findings.end(),
                        [](const v1::Finding& finding) { return finding.standing(); });
  return findings;
}

void PutSummary(const std::vector<std::pair<std::string, v1::CheckSummary>>& summaries,
                const v1::CheckSummary& summary, CatalogChange& change) {
  int64_t number = 0;
  if (!summaries.empty()) {
    absl::string_view last = summaries.back().first;
    absl::ConsumePrefix(&last, kSummaryPrefix);
    if (absl::SimpleAtoi(last, &number)) ++number;
  }
  change.PutRow(Family::kFindings, SummaryKey(number), summary);
  const size_t kept = kParitySummariesMax - 1;
  for (size_t i = 0; i + kept < summaries.size(); ++i) {
    change.DeleteRow(Family::kFindings, summaries[i].first);
  }
}

void PutParityState(const v1::ParityState& state, CatalogChange& change) {
  change.PutRow(Family::kFindings, kStateKey, state);
}

std::vector<v1::Condition> ParityConditions(const CatalogReader& reader) {
  const absl::StatusOr<v1::ParityState> state = ReadParityState(reader);
  if (!state.ok() || state->summary().findings_standing() == 0) return {};
  v1::Condition condition;
  condition.set_reason(ReasonName(v1::REASON_PARITY_DIFFERS));
  *condition.mutable_since() = state->summary().checked_at();
  for (const v1::Finding& finding : state->findings()) {
    if (finding.standing() && finding.first_seen() < condition.since()) {
      *condition.mutable_since() = finding.first_seen();
    }
  }
  condition.set_message(absl::StrCat(state->summary().findings_standing(),
                                     " standing differences to \"",
                                     state->summary().upstream_name(), "\""));
  condition.set_cause(std::string(FactsOf(v1::REASON_PARITY_DIFFERS).cause));
  condition.set_remedy(std::string(FactsOf(v1::REASON_PARITY_DIFFERS).remedy));
  return {condition};
}

}  // namespace sluice
