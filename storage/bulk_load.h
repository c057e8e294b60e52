// Bulk load: takes a whole catalog into a store that holds none, many times faster than commit by
// commit.
//
// Packs of records come in the order of their keys, so their rows can be written straight into
// sorted tables; what other families sort otherwise is parted on the way. Nothing is visible before
// the end, and the end is one commit: all rows, the cursor, the shards' sums and the store's state
// together (docs/decisions/0009). A load that does not come to its end leaves nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/worker_pool.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/load_rows.h"
#include "storage/spilled_rows.h"

namespace sluice {

class BulkLoad {
 public:
  // `pool`: where packs are checked, a few of them ahead; none: by whoever adds them. Both must
  // outlive the load.
  //
  // Errors: FAILED_PRECONDITION the catalog holds something.
  static absl::StatusOr<std::unique_ptr<BulkLoad>> Begin(Catalog& catalog, WorkerPool* pool);
  // Waits for the pool to be done with its packs.
  ~BulkLoad();
  BulkLoad(const BulkLoad&) = delete;
  BulkLoad& operator=(const BulkLoad&) = delete;

  // Takes the next pack. A failure may be that of an earlier one, and is the load's end.
  //
  // Errors: those of CheckRecord (storage/payload.h); DATA_LOSS ITEM_CORRUPT also for keys that do
  // not ascend; RESOURCE_EXHAUSTED no space.
  absl::Status Add(v1::LoadPack pack);

  // All packs are in: writes what is left, and returns what the loaded shards add up to in a
  // selection's fingerprint. Errors: those of Add.
  absl::StatusOr<Fingerprint> Finish();

  // Makes it durable and visible, together with the rows of `change`. After `Finish`. Errors: those
  // of Catalog::CommitLoad.
  absl::StatusOr<CommitOutcome> Commit(const CatalogChange& change);

  // Records that are present, by kind.
  const std::map<v1::RecordKind, int64_t>& counts() const { return counts_; }

 private:
  struct Job;

  BulkLoad(Catalog& catalog, WorkerPool* pool, std::unique_ptr<SortedIngest> ingest);
  // A job whose memory may have served before: to get so much from the system costs more than to
  // fill it.
  std::unique_ptr<Job> NewJob();
  absl::Status AddShards(const v1::LoadPack& pack);
  // Writes the oldest pack that is under way, waiting for its check.
  absl::Status WriteOldest();
  absl::Status Write(const LoadRows& rows);
  absl::Status WriteRow(const LoadRows::Row& row);
  // What other families order otherwise: two at once, where there is a pool.
  absl::Status WriteSorted();
  absl::Status WriteMembers();
  // Rows of a prefix of so many bytes and a record key.
  absl::Status WriteUses(SpilledRows& uses, size_t prefix_bytes, Family family);
  absl::Status WriteShards();

  Catalog& catalog_;
  WorkerPool* const pool_;
  const std::unique_ptr<SortedIngest> ingest_;
  Catalog::Loaded loaded_;
  uint64_t written_ = 0;                            // Records, of loaded_.records that came.
  std::vector<std::unique_ptr<ShardInfo>> shards_;  // By place; their fingerprints grow.
  std::vector<size_t> by_id_;                       // Places, by their shards' ids.
  std::deque<std::unique_ptr<Job>> jobs_;
  std::vector<std::unique_ptr<Job>> spare_jobs_;
  std::string last_key_;
  std::string log_entry_;   // The present one.
  SpilledRows members_;     // By shard, each shard's by key.
  SpilledRows file_uses_;   // By the first byte of the file's digest.
  SpilledRows dependents_;  // By the first byte of the id of what is needed.
  std::map<v1::RecordKind, int64_t> counts_;
};

}  // namespace sluice
