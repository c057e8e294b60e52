#include "storage/selection_sums.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/status.h"
#include "storage/picked_records.h"

namespace sluice {
namespace {

absl::Status Follow(const std::vector<ShardStep>& steps, const Selection& selection,
                    const Uuid& excluded, Fingerprint& total) {
  for (const ShardStep& step : steps) {
    if (!CountsIn(selection, step.definition, excluded)) continue;
    ASSIGN_OR_RETURN(const Fingerprint before, PlacedInShard(step.id, step.before));
    ASSIGN_OR_RETURN(const Fingerprint after, PlacedInShard(step.id, step.after));
    total.Subtract(before);
    total.Add(after);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Fingerprint> SelectionSums::Of(const CatalogReader& reader,
                                              const Selection& selection,
                                              const Uuid& excluded) const {
  ASSIGN_OR_RETURN(Fingerprint total, OfShards(reader, selection, excluded));
  PickedSums picked;
  RETURN_IF_ERROR(picked.LookAtAll(reader, selection, excluded));
  ASSIGN_OR_RETURN(const Fingerprint picks, picked.Total());
  total.Add(picks);
  return total;
}

absl::StatusOr<Fingerprint> SelectionSums::OfShards(const CatalogReader& reader,
                                                    const Selection& selection,
                                                    const Uuid& excluded) const {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  const uint64_t seq = state.head_seq();
  {
    MutexLock lock(mutex_);
    const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.selection == selection.shards_hash() && entry.excluded == excluded;
    });
    if (known != entries_.end()) {
      const std::optional<std::vector<ShardStep>> steps =
          catalog_.shard_steps().Between(known->seq, seq);
      if (steps.has_value()) {
        RETURN_IF_ERROR(Follow(*steps, selection, excluded, known->fingerprint));
        known->seq = seq;
        entries_.splice(entries_.begin(), entries_, known);
        return known->fingerprint;
      }
      // One that asks about an older state leaves the newer one where it is.
      if (known->seq > seq) return ShardsFingerprint(reader, selection, excluded);
      entries_.erase(known);
    }
  }
  ASSIGN_OR_RETURN(const Fingerprint fingerprint, ShardsFingerprint(reader, selection, excluded));
  MutexLock lock(mutex_);
  entries_.push_front({selection.shards_hash(), excluded, seq, fingerprint});
  if (entries_.size() > kEntriesMax) entries_.pop_back();
  return fingerprint;
}

}  // namespace sluice
