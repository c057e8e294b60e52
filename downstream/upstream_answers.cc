#include "downstream/upstream_answers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/decision_comparison.h"
#include "downstream/finding_words.h"

namespace sluice {
namespace {

constexpr size_t kKeysPerRequest = 512;
constexpr size_t kAskedMax = 20'000;
constexpr int kRefusedMax = 100'000;

// Whether only this node has it.
bool IsOnlyHere(const Difference& difference) {
  return difference.upstream.empty() && !difference.here.empty();
}

bool IsPolicy(const Difference& difference) {
  return difference.finding.kind() == v1::RECORD_KIND_POLICY;
}

v1::Reason ReasonIn(const v1::ItemStatus& status) { return ReasonFromName(status.reason()); }

// What the upstream has of a policy: nothing where it has none.
const DecisionList& DecisionsOf(const v1::GetRecordsItem& item) {
  return item.record().decisions();
}

}  // namespace

absl::Status UpstreamAnswers::ReadRefused() {
  ASSIGN_OR_RETURN(const auto rows,
                   reader_.ListRows<stored::v1::MissingRow>(Family::kMissing, "", "", kRefusedMax));
  for (const auto& [item, row] : rows) refused_.emplace(item, row.status());
  return absl::OkStatus();
}

// The newest record of this side, as the upstream would name it.
RecordKey UpstreamAnswers::KeyThere(const Difference& difference) {
  RecordKey key = difference.here.back().key;
  key.kept_by = Uuid();
  return key;
}

// Whether the upstream's own selection takes what only this node has.
absl::Status UpstreamAnswers::LookAtOwn(const Selection& taken, Difference& difference) const {
  const RecordKey& key = difference.here.back().key;
  const absl::StatusOr<RecordColumns> columns = reader_.GetColumns(key);
  if (!columns.ok()) return absl::OkStatus();  // It left meanwhile.
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(columns->header.shard_id()));
  ASSIGN_OR_RETURN(const ShardInfo info, reader_.Shard(shard));
  const auto& pinned = hello_.subscription().update_ids();
  const bool is_pinned = std::find(pinned.begin(), pinned.end(), key.id.view()) != pinned.end();
  if (!is_pinned && !taken.Matches(info.definition)) {
    Reclassify(difference.finding, v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED);
  }
  return absl::OkStatus();
}

absl::Status UpstreamAnswers::Look(const Selection& taken, Difference& difference) const {
  v1::Finding& finding = difference.finding;
  if (IsOnlyHere(difference)) return LookAtOwn(taken, difference);
  if (difference.upstream.empty()) return absl::OkStatus();
  const auto refused = refused_.find(difference.upstream.back().key.ToString());
  if (refused != refused_.end()) {
    const v1::Reason reason = ReasonIn(refused->second);
    if (reason == v1::REASON_ITEM_TOO_NEW) {
      Reclassify(finding, v1::FINDING_CLASS_VERSION_HIDDEN);
    } else {
      finding.set_reason(refused->second.reason());
      finding.set_cause(
          absl::StrCat("it came and could not be taken: ", refused->second.message()));
      finding.set_remedy(std::string(FactsOf(reason).remedy));
    }
    return absl::OkStatus();
  }
  // A node that itself follows another may be behind this one, after a change of upstreams.
  const bool newer_here = finding.finding_class() == v1::FINDING_CLASS_REVISION_DIFFERS &&
                          difference.upstream.back().stamp < difference.here.back().stamp;
  if (newer_here && !hello_.ancestors().empty()) {
    Reclassify(finding, v1::FINDING_CLASS_TRANSIENT_METADATA);
    finding.set_cause(absl::StrCat("the upstream still has revision ", finding.revision_upstream(),
                                   ", which is older"));
  }
  return absl::OkStatus();
}

std::vector<RecordKey> UpstreamAnswers::KeysToAsk(
    const std::vector<Difference>& differences) const {
  std::vector<RecordKey> keys;
  for (const Difference& difference : differences) {
    const bool absent = difference.finding.finding_class() == v1::FINDING_CLASS_MISSING_UPSTREAM &&
                        IsOnlyHere(difference);
    const bool to_compare = IsPolicy(difference) && !difference.kept && !IsOnlyHere(difference);
    if (absent) keys.push_back(KeyThere(difference));
    if (to_compare) keys.push_back(difference.upstream.back().key);
  }
  return keys;
}

absl::Status UpstreamAnswers::Ask(const std::vector<RecordKey>& keys, size_t max) {
  std::vector<RecordKey> open(keys.begin(),
                              keys.begin() + static_cast<int64_t>(std::min(max, keys.size())));
  while (!open.empty()) {
    v1::GetRecordsRequest request;
    const size_t count = std::min(open.size(), kKeysPerRequest);
    for (size_t i = 0; i < count; ++i) *request.add_keys() = open[i].ToProto();
    ASSIGN_OR_RETURN(v1::GetRecordsResponse response, peer_.GetRecords(request));
    if (response.items_size() < static_cast<int>(count)) {
      return absl::InvalidArgumentError("the upstream answered for fewer records than asked for");
    }
    std::vector<RecordKey> rest(open.begin() + static_cast<int64_t>(count), open.end());
    bool taken = false;
    for (size_t i = 0; i < count; ++i) {
      Item& item = *response.mutable_items(static_cast<int>(i));
      const bool full = item.status().code() == static_cast<int>(absl::StatusCode::kUnavailable) &&
                        ReasonIn(item.status()) == v1::REASON_ITEM_NOT_YET;
      if (full) {
        rest.push_back(open[i]);
        continue;
      }
      taken = true;
      if (item.has_record()) item.mutable_record()->clear_body();
      // A tombstone; that it is one says enough.
      if (ReasonIn(item.status()) == v1::REASON_ITEM_PURGED) item.clear_record();
      items_.emplace(open[i], std::move(item));
    }
    // It has nothing to say about any of them now.
    if (!taken) return absl::OkStatus();
    open = std::move(rest);
  }
  return absl::OkStatus();
}

// Only this node has it, inside of what the upstream takes.
void UpstreamAnswers::JudgeAbsent(Difference& difference) const {
  const auto found = items_.find(KeyThere(difference));
  if (found == items_.end()) return;
  v1::Finding& finding = difference.finding;
  if (found->second.has_record()) {
    // The upstream has it, and did not list it.
    if (found->second.record().digest() != difference.here.back().digest.view()) return;
    Reclassify(finding, v1::FINDING_CLASS_TRANSIENT_METADATA);
    finding.set_cause(difference.kept
                          ? "kept here while the upstream lacked it, and the upstream has it again"
                          : "this node's selection no longer takes it");
    finding.set_remedy("Synchronise: sluice sync start.");
    return;
  }
  switch (ReasonIn(found->second.status())) {
    case v1::REASON_ITEM_PURGED:
      return Reclassify(finding, v1::FINDING_CLASS_MISSING_UPSTREAM_PURGED);
    case v1::REASON_ITEM_FILTERED:
      return Reclassify(finding, v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED);
    case v1::REASON_ITEM_NOT_YET:
      return Reclassify(finding, v1::FINDING_CLASS_TRANSIENT_METADATA);
    default:
      return;
  }
}

// Entry by entry, where both sides could be read.
absl::Status UpstreamAnswers::ComparePolicy(const Difference& difference,
                                            std::vector<v1::Finding>& findings) const {
  const v1::Finding& finding = difference.finding;
  const bool only_here = IsOnlyHere(difference);
  const RecordKey key =
      only_here ? KeyThere(difference) : SubjectOf(difference.upstream.back().key);
  const auto found = items_.find(key);
  if (difference.kept || found == items_.end()) {
    findings.push_back(finding);
    return absl::OkStatus();
  }
  const bool known =
      found->second.has_record() || finding.finding_class() == v1::FINDING_CLASS_MISSING_UPSTREAM;
  if (!known) {
    findings.push_back(finding);
    return absl::OkStatus();
  }
  DecisionList here;
  if (!difference.here.empty()) {
    ASSIGN_OR_RETURN(const RecordColumns columns, reader_.GetColumns(difference.here.back().key));
    here = columns.header.decisions();
  }
  const std::vector<v1::Finding> by_entry =
      CompareDecisions(finding, here, DecisionsOf(found->second));
  findings.insert(findings.end(), by_entry.begin(), by_entry.end());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Finding>> UpstreamAnswers::Refine(
    std::vector<Difference> differences) {
  std::vector<v1::Finding> findings;
  if (differences.empty()) return findings;
  RETURN_IF_ERROR(ReadRefused());
  ASSIGN_OR_RETURN(const Selection taken, Selection::Expand(reader_, hello_.subscription()));
  for (Difference& difference : differences) RETURN_IF_ERROR(Look(taken, difference));
  RETURN_IF_ERROR(Ask(KeysToAsk(differences), kAskedMax));
  for (Difference& difference : differences) {
    if (IsOnlyHere(difference) &&
        difference.finding.finding_class() == v1::FINDING_CLASS_MISSING_UPSTREAM) {
      JudgeAbsent(difference);
    }
    difference.finding.set_standing(difference.kept);
    if (IsPolicy(difference)) {
      RETURN_IF_ERROR(ComparePolicy(difference, findings));
    } else {
      findings.push_back(std::move(difference.finding));
    }
  }
  return findings;
}

}  // namespace sluice
