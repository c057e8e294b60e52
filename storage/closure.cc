#include "storage/closure.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "common/status.h"
#include "storage/catalog_keys.h"
#include "storage/dependents.h"

namespace sluice {
namespace {

// When more has changed, looking at all is quicker.
constexpr size_t kTouchedMax = 20'000;

// Whether a revision of the update comes with its shard.
absl::StatusOr<bool> ComesWithShard(const CatalogReader& reader, WholeShards& whole,
                                    const Uuid& update) {
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(update));
  for (const RecordColumns& revision : revisions) {
    ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(revision.header.shard_id()));
    ASSIGN_OR_RETURN(const bool comes, whole.Contain(shard));
    if (comes) return true;
  }
  return false;
}

absl::StatusOr<bool> IsBoundary(const CatalogReader& reader, WholeShards& whole,
                                const Uuid& update) {
  ASSIGN_OR_RETURN(const bool comes, ComesWithShard(reader, whole, update));
  if (comes) return false;
  return AnyDependent(reader, update, [&](const RecordKey& key) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const RecordColumns dependent, reader.GetColumns(key));
    ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(dependent.header.shard_id()));
    return whole.Contain(shard);
  });
}

}  // namespace

absl::Status Closure::Update(const CatalogReader& reader, const Selection& selection,
                             const std::vector<Uuid>& pins) {
  if (selection.takes_all_shards()) {
    place_.reset();
    boundary_.clear();
    pins_ = pins;
    picks_ = pins;
    cut_off_ = false;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  const bool known = place_.has_value() && place_->epoch_id == state.epoch().epoch_id() &&
                     place_->shards_hash == selection.shards_hash();
  WholeShards whole(reader, selection);
  bool changed = std::exchange(pins_, pins) != pins;
  Touched touched;
  if (known) {
    ASSIGN_OR_RETURN(touched, ReadTouched(reader));
  }
  if (known && !touched.too_many) {
    ASSIGN_OR_RETURN(const bool more, Look(reader, whole, touched));
    changed |= more;
  } else {
    RETURN_IF_ERROR(LookAtAll(reader, whole));
    changed = true;
  }
  if (changed) RETURN_IF_ERROR(Walk(reader, whole));
  place_ = Place{state.epoch().epoch_id(), selection.shards_hash(), state.head_seq()};
  return absl::OkStatus();
}

absl::StatusOr<Closure::Touched> Closure::ReadTouched(const CatalogReader& reader) const {
  Touched touched;
  const auto cursor = reader.view().Scan(Family::kLog, EncodeSeq(place_->seq + 1), "");
  for (; cursor->Valid() && !touched.too_many; cursor->Next()) {
    stored::v1::LogEntry entry;
    if (!entry.ParseFromArray(cursor->value().data(), static_cast<int>(cursor->value().size()))) {
      return absl::DataLossError("a log entry cannot be read");
    }
    ASSIGN_OR_RETURN(const RecordKey key, RecordKey::Decode(entry.record_key()));
    if (key.kind != v1::RECORD_KIND_REVISION) continue;
    touched.updates.insert(key.id);
    // What another keeps may be replaced under its key.
    touched.some_left |= entry.left() || key.kept() || !reader.GetColumns(key).ok();
    touched.too_many = touched.updates.size() > kTouchedMax;
  }
  RETURN_IF_ERROR(cursor->status());
  return touched;
}

absl::Status Closure::LookAtAll(const CatalogReader& reader, WholeShards& whole) {
  boundary_.clear();
  return ForEachNeeded(reader, [&](const Uuid& update) -> absl::Status {
    ASSIGN_OR_RETURN(const bool boundary, IsBoundary(reader, whole, update));
    if (boundary) boundary_.insert(update);
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> Closure::Look(const CatalogReader& reader, WholeShards& whole,
                                   const Touched& touched) {
  bool changed = false;
  std::set<Uuid> candidates = touched.updates;
  // Whom what left had needed is not known any more.
  if (touched.some_left) candidates.insert(boundary_.begin(), boundary_.end());
  for (const Uuid& update : touched.updates) {
    changed |= std::binary_search(picks_.begin(), picks_.end(), update);
    ASSIGN_OR_RETURN(const bool needed,
                     AnyDependent(reader, update, [](const RecordKey& /*key*/) { return true; }));
    changed |= needed;
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(update));
    for (const RecordColumns& revision : revisions) {
      for (const std::string& bytes : revision.header.depends_on()) {
        ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(bytes));
        candidates.insert(id);
      }
    }
  }
  for (const Uuid& update : candidates) {
    ASSIGN_OR_RETURN(const bool boundary, IsBoundary(reader, whole, update));
    changed |= boundary ? boundary_.insert(update).second : boundary_.erase(update) > 0;
  }
  return changed;
}

absl::Status Closure::Walk(const CatalogReader& reader, WholeShards& whole) {
  absl::flat_hash_set<Uuid> seen;
  std::deque<Uuid> open;
  const auto add = [&](const Uuid& update) {
    if (seen.insert(update).second) open.push_back(update);
  };
  for (const Uuid& update : pins_) add(update);
  for (const Uuid& update : boundary_) add(update);
  picks_.clear();
  while (!open.empty() && picks_.size() < kPicksMax) {
    const Uuid update = open.front();
    open.pop_front();
    picks_.push_back(update);
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(update));
    for (const RecordColumns& revision : revisions) {
      for (const std::string& bytes : revision.header.depends_on()) {
        ASSIGN_OR_RETURN(const Uuid needed, Uuid::FromBytes(bytes));
        if (seen.contains(needed)) continue;
        ASSIGN_OR_RETURN(const bool comes, ComesWithShard(reader, whole, needed));
        if (!comes) add(needed);
      }
    }
  }
  cut_off_ = !open.empty();
  std::sort(picks_.begin(), picks_.end());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Uuid>> PicksFor(const CatalogReader& reader, const Selection& selection,
                                           const std::vector<Uuid>& pins) {
  Closure closure;
  RETURN_IF_ERROR(closure.Update(reader, selection, pins));
  return closure.picks();
}

}  // namespace sluice
