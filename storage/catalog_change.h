// Catalog change: what one commit does, collected before it is done.
//
// Whatever is put into one change becomes durable together: a cursor with the records that it
// covers, a decision with its audit entry, a session with its counts.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/uuid.h"
#include "google/protobuf/message_lite.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/ordered_store.h"
#include "storage/payload.h"
#include "storage/record_key.h"

namespace sluice {

class CatalogChange {
 public:
  // Stores a fact made here: the store stamps it as its origin and assigns the revision's number if
  // it is 0. A fact that is already stored with the same digest changes nothing. For a policy, only
  // the given decisions are stamped, and merged into the stored ones.
  void Originate(CheckedRecord record);

  // The same for a revision that a source offers: one that was deleted here with the whole update
  // stays deleted. Another digest is news.
  void Import(CheckedRecord record);

  // Stores a record as the node above has it, by the rules of storage/merge.h; but a policy, or
  // what that node keeps, replaces ours whole. A copy that this node keeps (`kept_by` is this node)
  // with the same digest leaves in the same commit.
  void Accept(CheckedRecord record);

  // The same where this node may know more than the one above: decisions of ours that a policy from
  // there neither has nor overrules by a newer stamp, and that no node above keeps, are kept.
  void AcceptKeepingDecisions(CheckedRecord record);

  // Deletes a record at its origin: a tombstone takes its place and replicates.
  void Delete(const RecordKey& key);

  // Removes a record that is in `shard` from this node and logs that it left. No effect if it is in
  // another shard by now or absent. A tombstone can leave too.
  void Leave(const RecordKey& key, const ShardId& shard);

  // Moves a record that the upstream's history lacks into this node's keeping: it leaves its shard
  // and comes back as kept. So does one that a node above kept.
  void Keep(const RecordKey& key);

  // Rows beside the records.
  void PutRow(Family family, absl::string_view key, const google::protobuf::MessageLite& row);
  void DeleteRow(Family family, absl::string_view key);
  void SetCursor(const v1::Cursor& cursor);  // Keyed by its upstream_id.

  // Notes each file for release (storage/file_release.h) that no record names any more after this
  // change.
  void FreeFiles() { frees_files_ = true; }
  bool frees_files() const { return frees_files_; }

  // An entry of the audit; the store numbers and chains it.
  void AddAuditEntry(v1::AuditEntry entry) { audit_.push_back(std::move(entry)); }

  struct OriginateOp {
    CheckedRecord record;
    bool unless_purged = false;
  };
  struct AcceptOp {
    CheckedRecord record;
    bool keep_decisions = false;
  };
  struct DeleteOp {
    RecordKey key;
  };
  struct LeaveOp {
    RecordKey key;
    ShardId shard;
  };
  struct KeepOp {
    RecordKey key;
  };
  using Op = std::variant<OriginateOp, AcceptOp, DeleteOp, LeaveOp, KeepOp>;

  const std::vector<Op>& ops() const { return ops_; }
  const WriteSet& rows() const { return rows_; }
  const std::vector<v1::AuditEntry>& audit() const { return audit_; }
  bool empty() const { return ops_.empty() && rows_.empty() && audit_.empty(); }

 private:
  std::vector<Op> ops_;
  WriteSet rows_;
  std::vector<v1::AuditEntry> audit_;
  bool frees_files_ = false;
};

// What became of the records of a change.
struct CommitOutcome {
  uint64_t head_seq = 0;
  absl::Duration took;  // To make it durable.
  int64_t stored = 0;   // New or replaced.
  int64_t restamped = 0;
  int64_t unchanged = 0;  // Identical or stale.
  int64_t adopted = 0;    // Had been kept here, and is the upstream's again.
  int64_t left = 0;
  int64_t deleted = 0;
  int64_t kept = 0;
  int64_t freed_files = 0;  // Noted by `FreeFiles`.
  std::vector<RecordKey>
      changed;  // Keys whose record changed, as stored (numbers may differ from those given).
};

}  // namespace sluice
