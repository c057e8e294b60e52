// Record applier: takes records from the upstream into the catalog, verified, together with the
// cursor that covers them.
//
// A record that fails its verification is an item that could not be had: it is remembered with
// reason, first time and attempts, and stops nothing else.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/session_log.h"

namespace sluice {

class RecordApplier {
 public:
  RecordApplier(Catalog& catalog, SessionLog& sessions);

  // Forgets the shards that an ended stream defined.
  void BeginStream() { shards_.clear(); }
  void Define(const v1::ShardDefinition& shard);

  // Which decisions are kept that a policy from above would take away.
  enum class Keeping {
    kNone,
    // A policy only loses decisions when its update is removed and imported anew. Where there is no
    // sign of that, the upstream lost them, as when its files were put back from a copy.
    kUnlessBegunAnew,
    kAll,  // This node may know more than the upstream.
  };
  void KeepDecisions(Keeping keeping) { keeping_ = keeping; }

  // Verifies a record and puts it into `change`; a bad one becomes an item of the session.
  void Add(v1::Record record, absl::Time now, CatalogChange& change);
  void Add(const v1::Left& left, CatalogChange& change) const;

  // The upstream has the record: what was deleted in a history that is gone is no longer deleted.
  absl::Status DropTombstone(const RecordKey& key, CatalogChange& change) const;

  // Applies a batch and moves `cursor` to its end, in one commit, with what is in `change` already.
  absl::Status Apply(v1::ChangeBatch batch, absl::Time now, v1::Cursor& cursor,
                     CatalogChange change = {});

  // Commits `change` together with the session and the counts that came of it. Files that no record
  // names any more are marked.
  absl::Status Commit(CatalogChange change);

  // Nothing is missing: the fingerprints agree. Rows of what could not be had, and has left or was
  // deleted since, go.
  absl::Status ForgetMissing();

  // Records that somebody else at this node changed.
  void NoteChanged(const std::vector<RecordKey>& keys) {
    changed_.insert(changed_.end(), keys.begin(), keys.end());
  }
  // The keys of all records that changed since it was last asked.
  std::vector<RecordKey> TakeChanged() { return std::exchange(changed_, {}); }
  // Whether files were marked since it was last asked.
  bool TakeFreed() { return std::exchange(freed_, false); }

 private:
  void Count(const RecordKey& key);
  bool KeepsDecisionsOf(const RecordKey& policy) const;
  // Whether the update of a policy was removed since this node had the policy.
  absl::StatusOr<bool> BegunAnew(const RecordKey& policy) const;

  Catalog& catalog_;
  SessionLog& sessions_;
  absl::flat_hash_map<ShardId, v1::ShardDefinition> shards_;
  std::vector<RecordKey> changed_;
  bool freed_ = false;
  Keeping keeping_ = Keeping::kNone;
  // Revisions that the present batch deletes, by digest, and their updates.
  absl::flat_hash_set<std::string> buried_;
  absl::flat_hash_set<Uuid> buried_updates_;
};

}  // namespace sluice
