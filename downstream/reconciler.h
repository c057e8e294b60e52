// Reconciler: brings this node's records to what the upstream has, by comparing, when the change
// log cannot say it.
//
//   sums of all shards  ->  how those differ  ->  records that are lacking
//
// How they differ is found by items (item_comparison.h), which costs what differs; by all their
// keys where one side has hardly anything of a shard yet, or the upstream does not know items.
//
// Absence alone is no reason to let go of anything: the upstream may have lost it. So it is asked
// what it knows of what it lacks (upstream/absence.h). What it deleted since leaves this node; so
// does what left its shards, when both look at the same history. That goes last and all at once, so
// that the guard sees the whole removal before any of it. All else is kept, as missing upstream
// (docs/decisions/0013); but not what a node held back that is no longer above.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "downstream/item_comparison.h"
#include "downstream/record_applier.h"
#include "downstream/removal_guard.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/selection.h"

namespace sluice {

class Reconciler {
 public:
  // What the reconciler wants next.
  struct Step {
    enum class Kind { kWait, kAsk, kGetRecords, kDone };
    Kind kind = Kind::kWait;
    v1::ReconcileRequest request;   // With kAsk.
    v1::GetRecordsRequest records;  // With kGetRecords.
  };

  // `same_history`: the cursor is of the history that the upstream has now.
  Reconciler(Catalog& catalog, RecordApplier& applier, Selection selection, bool same_history);

  // An answer in the exchange.
  absl::StatusOr<Step> OnResponse(const v1::ReconcileResponse& response);
  absl::StatusOr<Step> OnRecords(v1::GetRecordsResponse response, absl::Time now);

  // Shards that this node's own subscription does not take count as leftovers too: it did not
  // change.
  void GuardUnwanted() { guards_unwanted_ = true; }

  // After kDone: what only this node has, by now. Then removes it.
  absl::StatusOr<std::vector<RecordKey>> Leftovers() const;
  absl::Status RemoveLeftovers(RemovalGuard& guard, absl::Time now);

  // After kDone: where to tail from.
  uint64_t at_seq() const { return at_seq_; }
  const v1::Epoch& epoch() const { return epoch_; }
  const std::string& selection_hash() const { return selection_hash_; }
  size_t shards_compared() const { return shards_compared_; }
  size_t shards_differing() const { return shards_differing_; }

 private:
  struct Theirs {
    RecordKey key;
    Digest digest;
    Stamp stamp;
  };
  // A record of this node that the upstream did not list in its shard.
  struct Absent {
    ShardMember member;
    ShardId shard;
  };

  absl::StatusOr<Step> OnSums(const v1::ReconcileSums& sums);
  absl::StatusOr<Step> OnKeys(const v1::ShardKeys& keys);
  absl::StatusOr<Step> OnItems(const v1::ReconcileResponse& response);
  absl::Status CompareSums();
  // Plans how to compare a shard whose fingerprints differ.
  void NoteDifferent(const ShardId& id, const Fingerprint& here, const Fingerprint& theirs);
  void ChooseHow(bool upstream_knows_items);
  absl::Status TakeDifference(const ItemComparison& comparison);
  absl::Status DropShard(const ShardInfo& shard);
  absl::Status CompareShard(const ShardId& shard, const std::vector<Theirs>& theirs);
  // Whether a copy that is here, kept or not, can stand for the upstream's record; it is put into
  // `change` with the upstream's key and stamp then.
  absl::StatusOr<bool> AdoptLocal(const Theirs& theirs, const ShardId& shard,
                                  CatalogChange& change);
  absl::StatusOr<std::optional<RecordKey>> FindLocal(const Theirs& theirs) const;
  void NoteAbsent(const ShardMember& member, const ShardId& shard, CatalogChange& change);
  // Makes room for what the upstream has under the key of a record that is newer here.
  void StepAside(const ShardMember& member, const ShardId& shard, CatalogChange& change);
  // What becomes of an absent record, by what the upstream says of it.
  absl::Status Judge(const Absent& absent, v1::GetRecordsItem& item, absl::Time now,
                     CatalogChange& change);
  absl::Status JudgeAbsent(v1::GetRecordsResponse response, absl::Time now);
  // The same, or what is not wanted any more.
  void Drop(const ShardMember& member, const ShardId& shard, const v1::ShardDefinition& definition,
            CatalogChange& change);
  absl::Status Flush(CatalogChange& change, bool all);
  absl::StatusOr<Step> Next();

  Catalog& catalog_;
  RecordApplier& applier_;
  const Selection selection_;
  const bool same_history_;
  bool guards_unwanted_ = false;

  std::vector<v1::ShardSum> sums_;
  absl::flat_hash_map<ShardId, v1::ShardDefinition> definitions_;
  // Shards that differ, and of which both sides have about as much.
  std::vector<ShardId> by_items_;
  uint64_t records_by_items_ = 0;  // The upstream's in those shards.
  std::optional<ItemComparison> comparison_;
  std::deque<ShardId> to_ask_;   // Compared by keys.
  size_t open_keys_ = 0;         // Shards asked for and not answered whole.
  std::vector<Theirs> partial_;  // The shard that is being answered.
  // Records that are here in one shard, and that the upstream listed in another.
  absl::flat_hash_set<RecordKey> listed_;
  std::deque<Absent> to_judge_;
  std::vector<Absent> judging_;
  std::deque<RecordKey> to_fetch_;
  std::vector<RecordKey> fetching_;
  std::vector<std::pair<RecordKey, ShardId>> leftovers_;
  uint64_t at_seq_ = 0;
  v1::Epoch epoch_;
  std::string selection_hash_;
  size_t shards_compared_ = 0;
  size_t shards_differing_ = 0;
};

}  // namespace sluice
