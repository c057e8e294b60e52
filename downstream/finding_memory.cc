#include "downstream/finding_memory.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/status.h"
#include "downstream/finding_words.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/parity_rows.h"

namespace sluice {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

constexpr int kSessionsMax = 1 << 20;
// An upstream that has been behind for longer will not get on without help.
constexpr int64_t kTransientSecondsMax = 24 * 60 * 60;

// When the newest session began that went through to the upstream's head; none when none did.
absl::StatusOr<std::optional<Timestamp>> LastThrough(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<v1::Session>(Family::kSessions, "", "", kSessionsMax));
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    const v1::SyncOutcome outcome = row->second.outcome();
    if (outcome == v1::SYNC_OUTCOME_SUCCEEDED || outcome == v1::SYNC_OUTCOME_PARTIAL) {
      return std::optional(row->second.started_at());
    }
  }
  return std::optional<Timestamp>();
}

bool IsStanding(const v1::Finding& finding, const std::optional<Timestamp>& last_through,
                const Timestamp& now) {
  if (finding.standing() || IsBeyondSynchronising(finding)) return true;
  if (!last_through.has_value() || !(finding.first_seen() < *last_through)) return false;
  if (!IsTransient(finding.finding_class())) return true;
  return TimeUtil::DurationToSeconds(now - finding.first_seen()) > kTransientSecondsMax;
}

// What is stored of it.
v1::Finding RowOf(v1::Finding finding) {
  finding.clear_last_seen();
  finding.clear_times_seen();
  return finding;
}

Timestamp ToTimestamp(absl::Time time) {
  return TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

void PutState(const CheckTimes& times, const v1::CheckSummary& summary,
              const std::vector<v1::Finding>& findings, CatalogChange& change) {
  v1::ParityState state;
  *state.mutable_summary() = summary;
  *state.mutable_attempted_at() = ToTimestamp(std::max(times.now, times.wanted_at));
  for (const bool standing : {true, false}) {
    for (const v1::Finding& finding : findings) {
      if (state.findings_size() == kParityStateFindingsMax) break;
      if (finding.standing() == standing) *state.add_findings() = finding;
    }
  }
  PutParityState(state, change);
}

}  // namespace

absl::Status Remember(const CatalogReader& reader, const CheckTimes& times,
                      v1::CheckSummary& summary, std::vector<v1::Finding>& findings,
                      CatalogChange& change) {
  ASSIGN_OR_RETURN(auto rows, ReadFindingRows(reader));
  ASSIGN_OR_RETURN(const auto summaries, ReadSummaryRows(reader));
  ASSIGN_OR_RETURN(const std::optional<Timestamp> last_through, LastThrough(reader));
  absl::flat_hash_map<std::string, v1::Finding> before;
  for (auto& [key, finding] : rows) before.emplace(key, std::move(finding));

  const Timestamp at = ToTimestamp(times.now);
  std::vector<int64_t> by_class(v1::FindingClass_ARRAYSIZE, 0);
  int64_t standing = 0;
  for (v1::Finding& finding : findings) {
    const std::string key = FindingRowKey(finding);
    const auto known = before.find(key);
    *finding.mutable_first_seen() = known == before.end() ? at : known->second.first_seen();
    *finding.mutable_last_seen() = at;
    finding.set_times_seen(1 + TimesSeen(summaries, finding.first_seen()));
    finding.set_standing(IsStanding(finding, last_through, at));
    standing += finding.standing() ? 1 : 0;
    ++by_class[static_cast<size_t>(finding.finding_class())];
    const v1::Finding row = RowOf(finding);
    const bool same =
        known != before.end() && known->second.SerializeAsString() == row.SerializeAsString();
    if (!same) change.PutRow(Family::kFindings, key, row);
    if (known != before.end()) before.erase(known);
  }
  for (const auto& [key, unused] : before) change.DeleteRow(Family::kFindings, key);

  summary.mutable_findings_by_class()->Add(by_class.begin(), by_class.end());
  summary.set_findings(static_cast<int64_t>(findings.size()));
  summary.set_findings_standing(standing);
  summary.set_in_parity(findings.empty());
  *summary.mutable_checked_at() = at;
  PutSummary(summaries, summary, change);
  PutState(times, summary, findings, change);
  return absl::OkStatus();
}

}  // namespace sluice
