#include "storage/merge.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace sluice {
namespace {

Stamp StampOf(const v1::Stamp& stamp) {
  const absl::StatusOr<Stamp> parsed = Stamp::FromProto(stamp);
  return parsed.value_or(Stamp());  // Checked records carry valid stamps.
}

// Brings the parts that header and record share back together.
void SetDecisions(const std::map<std::string, v1::DecisionEntry>& entries, CheckedRecord& policy) {
  v1::Record& record = policy.record;
  record.clear_decisions();
  *record.mutable_stamp() = entries.begin()->second.stamp();
  for (const auto& [key, entry] : entries) {
    *record.add_decisions() = entry;
    if (IsNewerStamp(entry.stamp(), record.stamp())) *record.mutable_stamp() = entry.stamp();
  }
  record.set_digest(PolicyDigest(record.decisions()).bytes());
  *policy.header.mutable_decisions() = record.decisions();
  *policy.header.mutable_stamp() = record.stamp();
  policy.header.set_digest(record.digest());
}

// Decisions are merged one by one; the shard is that of the newer record.
Merged MergePolicies(const CheckedRecord& stored, CheckedRecord incoming) {
  std::map<std::string, v1::DecisionEntry> entries;
  for (const v1::DecisionEntry& entry : stored.record.decisions()) entries[entry.key()] = entry;
  bool changed = false;
  bool restamped = false;
  bool stale = false;
  for (const v1::DecisionEntry& entry : incoming.record.decisions()) {
    const auto [known, inserted] = entries.try_emplace(entry.key(), entry);
    if (inserted) {
      changed = true;
    } else if (IsNewerStamp(entry.stamp(), known->second.stamp())) {
      (known->second.digest() == entry.digest() ? restamped : changed) = true;
      known->second = entry;
    } else if (entry.digest() != known->second.digest()) {
      stale = true;
    }
  }
  const bool moved = incoming.record.shard_id() != stored.record.shard_id() &&
                     !IsNewerStamp(stored.record.stamp(), incoming.record.stamp());
  if (!changed && !restamped && !moved) {
    return {stale ? MergeResult::kStale : MergeResult::kIdentical, {}};
  }
  CheckedRecord merged = stored;
  if (moved) {
    merged.shard = incoming.shard;
    merged.record.set_shard_id(incoming.record.shard_id());
    merged.header.set_shard_id(incoming.record.shard_id());
  }
  SetDecisions(entries, merged);
  return {changed || moved ? MergeResult::kReplaced : MergeResult::kRestamped, std::move(merged)};
}

}  // namespace

bool IsNewerStamp(const v1::Stamp& incoming, const v1::Stamp& stored) {
  return StampOf(incoming) > StampOf(stored);
}

Merged Merge(const std::optional<CheckedRecord>& stored, CheckedRecord incoming) {
  if (!stored.has_value()) return {MergeResult::kNew, std::move(incoming)};
  const v1::Record& old = stored->record;
  const v1::Record& fresh = incoming.record;
  const bool both_present = old.state() == v1::RECORD_STATE_PRESENT && fresh.state() == old.state();
  if (both_present && fresh.key().kind() == v1::RECORD_KIND_POLICY) {
    return MergePolicies(*stored, std::move(incoming));
  }
  const bool same = old.state() == fresh.state() && old.digest() == fresh.digest() &&
                    old.shard_id() == fresh.shard_id();
  if (!IsNewerStamp(fresh.stamp(), old.stamp())) {
    // A record that moves to another shard keeps its stamp: its facts did not change.
    const bool moved = both_present && old.digest() == fresh.digest() && !same &&
                       !IsNewerStamp(old.stamp(), fresh.stamp());
    if (!moved) return {same ? MergeResult::kIdentical : MergeResult::kStale, {}};
  }
  return {same ? MergeResult::kRestamped : MergeResult::kReplaced, std::move(incoming)};
}

}  // namespace sluice
