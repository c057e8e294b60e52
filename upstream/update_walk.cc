#include "upstream/update_walk.h"

#include <algorithm>
#include <utility>

#include "common/status.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "storage/update_index.h"

namespace sluice {
namespace {

// Shards are the shorter way to less than this part of the updates: each costs a search.
constexpr uint64_t kDenseShare = 20;

// Whether an update with these decisions can be in that state.
absl::StatusOr<bool> MayBeIn(v1::UpdateState state, const RecordGroup& policies) {
  for (const RecordColumns& policy : policies) {
    for (const v1::DecisionEntry& entry : policy.header.decisions()) {
      const bool decline = entry.key() == kDeclineKey;
      const bool approval = GroupOfDecisionKey(entry.key()).has_value();
      if (!(state == v1::UPDATE_STATE_DECLINED ? decline : approval)) continue;
      ASSIGN_OR_RETURN(const v1::Decision decision, UnpackDecision(entry));
      if (!decision.cleared()) return true;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<UpdateWalk> UpdateWalk::Make(const CatalogReader& reader, v1::UpdateState state,
                                            const Selection& selection) {
  UpdateWalk walk(reader);
  // What is held back is approved. What is inactive has no revision, and is listed elsewhere.
  if (state == v1::UPDATE_STATE_HELD_BACK) state = v1::UPDATE_STATE_APPROVED;
  walk.state_ = state;
  ASSIGN_OR_RETURN(std::vector<ShardInfo> shards, reader.Shards());
  uint64_t all = 0;
  uint64_t taken = 0;
  uint64_t decided = 0;
  for (ShardInfo& shard : shards) {
    if (shard.definition.always()) continue;
    const uint64_t count = shard.fingerprint.count();
    if (shard.definition.stream() == v1::STREAM_KIND_POLICY) decided += count;
    if (shard.definition.stream() != v1::STREAM_KIND_CATALOG) continue;
    all += count;
    // As the filter looks at a revision: by product and classification, whatever its languages.
    v1::ShardDefinition whatever = shard.definition;
    whatever.clear_languages();
    if (!selection.Matches(whatever)) continue;
    taken += count;
    walk.shards_.push_back(std::move(shard));
  }
  const bool by_decision = state == v1::UPDATE_STATE_APPROVED ||
                           state == v1::UPDATE_STATE_DECLINED || state == v1::UPDATE_STATE_PENDING;
  if (taken * kDenseShare < all) walk.way_ = Way::kShards;
  if (by_decision && decided < taken) walk.way_ = Way::kDecisions;
  return walk;
}

absl::StatusOr<std::vector<RecordColumns>> UpdateWalk::Next(const Uuid& after, int max) const {
  switch (way_) {
    case Way::kShards: {
      ASSIGN_OR_RETURN(const std::vector<Uuid> ids, UpdatesInShards(*reader_, shards_, after, max));
      return CurrentOf(ids);
    }
    case Way::kDecisions:
      return NextByDecisions(after, max);
    case Way::kHeaders:
      break;
  }
  ASSIGN_OR_RETURN(std::vector<RecordGroup> groups,
                   ListById(*reader_, v1::RECORD_KIND_REVISION, after, max));
  std::vector<RecordColumns> current;
  current.reserve(groups.size());
  for (RecordGroup& group : groups) {
    ASSIGN_OR_RETURN(RecordColumns newest, NewestOf(std::move(group)));
    current.push_back(std::move(newest));
  }
  return current;
}

absl::StatusOr<std::vector<RecordColumns>> UpdateWalk::CurrentOf(
    const std::vector<Uuid>& ids) const {
  std::vector<RecordColumns> current;
  for (const Uuid& id : ids) {
    absl::StatusOr<RecordColumns> columns = reader_->CurrentRevision(id);
    if (absl::IsNotFound(columns.status())) continue;  // Only decisions about it are here.
    RETURN_IF_ERROR(columns.status());
    current.push_back(*std::move(columns));
  }
  return current;
}

// Goes on until something is found: an empty answer means the end.
absl::StatusOr<std::vector<RecordColumns>> UpdateWalk::NextByDecisions(Uuid after, int max) const {
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<RecordGroup> groups,
                     ListById(*reader_, v1::RECORD_KIND_POLICY, after, max));
    if (groups.empty()) return std::vector<RecordColumns>();
    std::vector<Uuid> ids;
    for (const RecordGroup& group : groups) {
      ASSIGN_OR_RETURN(const bool may_be, MayBeIn(state_, group));
      if (may_be) ids.push_back(group.front().key.id);
    }
    after = groups.back().front().key.id;
    ASSIGN_OR_RETURN(std::vector<RecordColumns> current, CurrentOf(ids));
    if (!current.empty()) return current;
  }
}

}  // namespace sluice
