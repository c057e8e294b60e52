// Parity rows: what the last comparisons with the upstream found, as rows of the catalog.
//
// Family::kFindings holds three kinds of rows: the findings of the last check, under a key that
// says what tells one from all others; the summaries of the last 100 checks; and the state that
// travels up in reports. When a finding was last seen, and how often, follows from the summaries,
// so that a check which finds the same again writes next to nothing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/parity.pb.h"
#include "storage/catalog.h"

namespace sluice {

// Summaries that are kept.
inline constexpr int kParitySummariesMax = 100;
// Findings that travel up with a node's state.
inline constexpr int kParityStateFindingsMax = 100;

// The row key of a finding.
std::string FindingRowKey(const v1::Finding& finding);

// The findings of the last check, as they are stored: without `last_seen` and `times_seen`.
absl::StatusOr<std::vector<std::pair<std::string, v1::Finding>>> ReadFindingRows(
    const CatalogReader& reader);

// The findings of the last check, standing ones first.
absl::StatusOr<std::vector<v1::Finding>> ReadFindings(const CatalogReader& reader);

// The last checks, oldest first, under their row keys.
absl::StatusOr<std::vector<std::pair<std::string, v1::CheckSummary>>> ReadSummaryRows(
    const CatalogReader& reader);

// The last check in short; an empty one before the first.
absl::StatusOr<v1::ParityState> ReadParityState(const CatalogReader& reader);

// How many checks in a row, up to that of `summaries` which is last, found what was first seen
// then. More than are kept count as those that are.
int TimesSeen(const std::vector<std::pair<std::string, v1::CheckSummary>>& summaries,
              const google::protobuf::Timestamp& first_seen);

// Puts the summary of a check into `change`, and lets go of the oldest. `summaries`: those before.
void PutSummary(const std::vector<std::pair<std::string, v1::CheckSummary>>& summaries,
                const v1::CheckSummary& summary, CatalogChange& change);
void PutParityState(const v1::ParityState& state, CatalogChange& change);

// PARITY_DIFFERS while the last check found what will not go away by itself.
std::vector<v1::Condition> ParityConditions(const CatalogReader& reader);

}  // namespace sluice
