// Catalog commit: from what a change asks for to the rows that must be written together. One object
// a commit.
//
// Every step reads through an overlay, so that it sees what the steps before it did. Nothing is
// written here.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/catalog.h"
#include "storage/catalog_change.h"
#include "storage/merge.h"
#include "storage/overlay_view.h"

namespace sluice {

class CatalogCommit {
 public:
  // `free_files`: note for release the files that no record names any more.
  CatalogCommit(std::shared_ptr<const OrderedView> base, stored::v1::StoreState state,
                bool free_files);

  // Works out one operation.
  absl::Status Apply(const CatalogChange::Op& op);

  // Ends the commit: closes the books of shards, head and running hash. Nothing to write if nothing
  // changed.
  absl::StatusOr<WriteSet> Finish(const CatalogChange& change);

  const stored::v1::StoreState& state() const { return state_; }
  const CommitOutcome& outcome() const { return outcome_; }
  // What was done to shards.
  std::vector<ShardStep> ShardSteps() const;

 private:
  absl::Status Originate(const CatalogChange::OriginateOp& op);
  absl::Status OriginateRevision(CheckedRecord record, bool unless_purged);
  absl::Status OriginatePolicy(CheckedRecord record);
  absl::Status Accept(CheckedRecord record, bool keep_decisions);
  absl::Status Delete(const RecordKey& key);
  absl::Status Leave(const RecordKey& key, const ShardId& shard);
  absl::Status Keep(const RecordKey& key);

  // Merges a record into what is stored under its key.
  absl::Status MergeIn(const RecordKey& key, CheckedRecord record);
  // The same for what comes from the node above. What that node keeps, and which decisions are in a
  // policy, it alone changes: it takes decisions out when it keeps them instead. Its word is whole
  // and replaces ours, whatever the stamps.
  absl::Status TakeOver(const RecordKey& key, CheckedRecord record);
  absl::Status StoreMerged(const RecordKey& key, Merged merged);
  // Where an incoming revision or tombstone of one belongs: none if nowhere.
  absl::StatusOr<std::optional<RecordKey>> PlaceRevision(const RecordKey& key,
                                                         const CheckedRecord& record) const;
  // What this node and those above keep: catalog_kept.cc.

  // Keeps those decisions about an update that `incoming`, its policy as it is above, neither has
  // nor overrules.
  absl::Status KeepUndecided(const RecordKey& key, const CheckedRecord& incoming);
  // All decisions about an update that nodes above keep.
  absl::StatusOr<std::vector<v1::DecisionEntry>> DecisionsKeptAbove(const Uuid& update_id) const;
  // The same, and those that were not kept but came from above.
  absl::StatusOr<std::vector<v1::DecisionEntry>> DecisionsAbove(const Uuid& update_id) const;
  // Whether the same fact came from above, kept there or not.
  absl::StatusOr<bool> IsAbove(const RecordKey& key, const CheckedRecord& record) const;
  // Lets go of what this node keeps and its upstream has again.
  absl::Status Adopt(const RecordKey& key, absl::string_view digest, const v1::Stamp& stamp);
  absl::Status AdoptPolicy(const RecordKey& kept);
  // The policy and expiry of an update follow its current revision into another shard.
  absl::Status MoveFollowers(const Uuid& update_id, const v1::ShardDefinition& shard);
  absl::Status MoveFollower(const RecordKey& key, const v1::ShardDefinition& shard);
  // At an autonomous node revisions come from above and policies are its own, so nobody else moves
  // them. The policy of an update that has left stays where it was, inactive.
  absl::Status MoveOwnPolicy(const RecordKey& revision);

  // The stored record, tombstones included; none if there is none.
  absl::StatusOr<std::optional<CheckedRecord>> Load(const RecordKey& key) const;
  // All rows of an update's revisions, tombstones included, with this keeper.
  absl::StatusOr<std::vector<RecordColumns>> RevisionRows(const RecordKey& key) const;

  // Stores a record and logs it; what it replaces leaves its shard's books.
  absl::Status Store(const RecordKey& key, CheckedRecord record);
  // Takes a record away and logs that it left.
  absl::Status Remove(const RecordKey& key, const CheckedRecord& stored);
  absl::Status Unlist(const RecordKey& key, const CheckedRecord& stored);
  absl::Status LogLeft(const RecordKey& key, const CheckedRecord& stored);
  absl::Status ForgetLeft(const RecordKey& key, const ShardId& shard);
  absl::StatusOr<stored::v1::ShardRow*> ShardRowOf(const ShardId& id,
                                                   const v1::ShardDefinition& definition);
  // Notes the files for release that no record names any more.
  absl::Status NoteFreedFiles();
  uint64_t NextSeq();
  v1::Stamp NextStamp();
  Uuid self() const;

  std::shared_ptr<OverlayView> view_;
  CatalogReader reader_;
  stored::v1::StoreState state_;
  CommitOutcome outcome_;
  const bool free_files_;
  std::set<std::string> unlisted_files_;  // Files that a record named before.
  bool logged_ = false;
  std::map<ShardId, stored::v1::ShardRow> shards_;  // Those that were touched.
  std::map<ShardId, Fingerprint> before_;           // What these were.
};

}  // namespace sluice
