// Catalog: all records of a node, their change log, shards and fingerprints, and the rows beside
// them.
//
// One writer, many readers. The writer assigns a seq to every change inside of the commit; a commit
// is one atomic, synced write, followed by the anchor. Readers see a state that does not change
// under them. storage/README.md has the invariants.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/uuid.h"
#include "sluice/stored/v1/stored.pb.h"
#include "sluice/v1/record.pb.h"
#include "sluice/v1/tree.pb.h"
#include "storage/anchor.h"
#include "storage/catalog_change.h"
#include "storage/fingerprint.h"
#include "storage/ordered_store.h"
#include "storage/record_key.h"
#include "storage/shard_steps.h"

namespace sluice {

// A record's key and clear columns, without its body.
struct RecordColumns {
  RecordKey key;
  stored::v1::RecordHeader header;
};

struct ShardInfo {
  ShardId id;
  v1::ShardDefinition definition;
  Fingerprint fingerprint;
};

struct ShardMember {
  RecordKey key;
  Digest digest;
  Stamp stamp;
};

// One change after a cursor: the record as it is now, or that it left.
struct LoggedChange {
  uint64_t seq = 0;
  RecordKey key;
  ShardId shard;
  bool left = false;
  Digest digest;      // Of what left.
  v1::Record record;  // Unless `left`.
};

// Reads one unchanging state of the catalog. Cheap to make; hold it no longer than one answer
// takes.
class CatalogReader {
 public:
  explicit CatalogReader(std::shared_ptr<const OrderedView> view);

  // Node id, epoch, durable head, counters.
  absl::StatusOr<stored::v1::StoreState> State() const;

  // Errors: NOT_FOUND ITEM_NOT_FOUND; NOT_FOUND ITEM_PURGED for a tombstone; DATA_LOSS damaged.
  absl::StatusOr<v1::Record> GetRecord(const RecordKey& key) const;
  absl::StatusOr<RecordColumns> GetColumns(const RecordKey& key) const;

  // The shard of a tombstone; none when the key holds none.
  absl::StatusOr<std::optional<ShardId>> TombstoneShard(const RecordKey& key) const;

  // Updates with more than one revision here, deleted ones counted. Costs a walk over all keys.
  absl::StatusOr<std::vector<Uuid>> RevisedUpdates() const;

  // Whether the update was deleted whole, and this revision of it with it.
  absl::StatusOr<bool> WasPurged(const Uuid& update_id, absl::string_view digest) const;

  // All present revisions of an update, kept ones too, oldest stamp first. Empty when there is
  // none.
  absl::StatusOr<std::vector<RecordColumns>> Revisions(const Uuid& update_id) const;
  // The one with the newest stamp. Errors: NOT_FOUND.
  absl::StatusOr<RecordColumns> CurrentRevision(const Uuid& update_id) const;

  // Decisions in force or cleared about an update: the policy record merged with kept copies.
  absl::StatusOr<std::vector<v1::DecisionEntry>> Decisions(const Uuid& update_id) const;

  // Up to `max` present records of `kind` (kept ones too, after all others) with keys after `after`
  // (encoded; empty: from the start).
  absl::StatusOr<std::vector<RecordColumns>> List(v1::RecordKind kind, absl::string_view after,
                                                  int max) const;

  // Up to `max` entries of the log with seq > `after`, and the seq up to which the log was looked
  // at. Entries for whose shard and encoded record key `wanted` is false are passed over; the walk
  // stops after `scan_max` entries.
  struct LogSlice {
    std::vector<LoggedChange> changes;
    uint64_t scanned_to = 0;
    bool at_head = false;
  };
  using WantedEntry = std::function<bool(const ShardId&, absl::string_view record_key)>;
  absl::StatusOr<LogSlice> ReadLog(uint64_t after, const WantedEntry& wanted, int max,
                                   int scan_max) const;

  // All shards with at least one record, by id.
  absl::StatusOr<std::vector<ShardInfo>> Shards() const;
  // Also those that hold no record any more.
  absl::StatusOr<std::vector<ShardInfo>> ShardsEverUsed() const;
  absl::StatusOr<ShardInfo> Shard(const ShardId& id) const;  // Errors: NOT_FOUND.

  // Members of a shard by key, after `after` (encoded key), at most `max`.
  absl::StatusOr<std::vector<ShardMember>> Members(const ShardId& id, absl::string_view after,
                                                   int max) const;

  // The records that name a file.
  absl::StatusOr<std::vector<RecordKey>> FileUses(const Digest& file) const;

  absl::StatusOr<std::optional<v1::Cursor>> GetCursor(const Uuid& upstream_id) const;

  // Everything as it is stored, for those who check the books.
  const OrderedView& view() const { return *view_; }

  // Rows. GetRow errors: NOT_FOUND no such row.
  template <typename Row>
  absl::StatusOr<Row> GetRow(Family family, absl::string_view key) const {
    absl::StatusOr<std::string> bytes = GetRowBytes(family, key);
    if (!bytes.ok()) return bytes.status();
    Row row;
    if (!row.ParseFromString(*bytes)) return DamagedRow(family, key);
    return row;
  }
  // Rows with keys in (after, until), in key order, at most `max`.
  template <typename Row>
  absl::StatusOr<std::vector<std::pair<std::string, Row>>> ListRows(Family family,
                                                                    absl::string_view after,
                                                                    absl::string_view until,
                                                                    int max) const {
    absl::StatusOr<std::vector<std::pair<std::string, std::string>>> found =
        ListRowBytes(family, after, until, max);
    if (!found.ok()) return found.status();
    std::vector<std::pair<std::string, Row>> rows(found->size());
    for (size_t i = 0; i < found->size(); ++i) {
      rows[i].first = std::move((*found)[i].first);
      if (!rows[i].second.ParseFromString((*found)[i].second))
        return DamagedRow(family, rows[i].first);
    }
    return rows;
  }

 private:
  absl::StatusOr<std::string> GetRowBytes(Family family, absl::string_view key) const;
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ListRowBytes(
      Family family, absl::string_view after, absl::string_view until, int max) const;
  static absl::Status DamagedRow(Family family, absl::string_view key);

  std::shared_ptr<const OrderedView> view_;
};

// The catalog of one node.
class Catalog {
 public:
  // Writes the first state of a new store: node id, its place in the tree, a new epoch. Errors:
  // ALREADY_EXISTS the store holds a state.
  static absl::Status Create(OrderedStore& store, Anchor& anchor, const Uuid& node_id, Clock& clock,
                             v1::NodeMode mode = v1::NODE_MODE_UNSPECIFIED);

  // Opens a store and compares it with its anchor.
  //
  // Errors:
  //   NOT_FOUND                          there is no store; `init` makes one.
  //   DATA_LOSS STORE_BEHIND_ANCHOR      acknowledged writes are gone.
  //   FAILED_PRECONDITION STORE_TOO_NEW  written by a newer release.
  static absl::StatusOr<std::unique_ptr<Catalog>> Open(OrderedStore& store, Anchor& anchor);

  // Begins a new history on a store found behind its anchor, restored, or promoted: a new epoch
  // with a larger counter (the clock's seconds, if those are). `mode`: the node's place from now
  // on; unspecified: as it was.
  static absl::Status BeginEpoch(OrderedStore& store, Anchor& anchor, Clock& clock,
                                 v1::NodeMode mode = v1::NODE_MODE_UNSPECIFIED);

  CatalogReader Read() const;

  // Makes `change` durable, all or nothing, and then wakes the watchers.
  absl::StatusOr<CommitOutcome> Commit(const CatalogChange& change);

  // The same with a change that `make` works out while nobody else can commit, so that what it read
  // is still so when its change is durable. It must be quick, and must not commit. Nothing happens
  // when it fails.
  absl::StatusOr<CommitOutcome> CommitMade(
      const std::function<absl::StatusOr<CatalogChange>(const CatalogReader&)>& make);
  // Begins to take in a whole catalog at once (storage/bulk_load.h), which only one that holds
  // nothing and never did can do. Errors: FAILED_PRECONDITION it holds something.
  absl::StatusOr<std::unique_ptr<SortedIngest>> BeginLoad();

  // What such a load put into its ingest.
  struct Loaded {
    uint64_t after_seq = 0;  // The head when it began; its log goes on from there.
    uint64_t records = 0;    // So many seqs it took.
    Digest digest;           // Over its shards' rows, and so over all its records.
  };
  // Makes a load durable and visible, together with the rows of `change`, which may hold nothing
  // else. It counts as one commit. Errors: ABORTED the catalog changed since it began.
  absl::StatusOr<CommitOutcome> CommitLoad(SortedIngest& ingest, const Loaded& loaded,
                                           const CatalogChange& change);

  // Why nothing can be committed until the store is opened anew; OK: it can.
  absl::Status WriteFailure() const;

  // For how long the commit that is under way has been waiting for the disk; zero when none is.
  absl::Duration CommitRunningFor() const;

  const Uuid& node_id() const { return node_id_; }
  const v1::Epoch& epoch() const { return epoch_; }
  // Unspecified in a store that an early release made.
  v1::NodeMode mode() const { return mode_; }
  uint64_t durable_head() const;
  // What the last commits did to shards.
  const ShardSteps& shard_steps() const { return shard_steps_; }

  // Calls `wake` after every commit, from the committing thread; it must not block or commit.
  // Returns a handle for `Unwatch`.
  int64_t Watch(std::function<void(const CommitOutcome&)> wake);
  // Waits for a wake that is under way.
  void Unwatch(int64_t handle);

 private:
  Catalog(OrderedStore& store, Anchor& anchor, stored::v1::StoreState state);

  absl::StatusOr<CommitOutcome> Write(const CatalogChange& change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  // Runs `write`, which makes `next` the stored state, and moves the anchor along. `steps`: what it
  // does to shards; none: more than is worth remembering.
  absl::Status WriteCommit(const std::function<absl::Status()>& write, stored::v1::StoreState next,
                           CommitOutcome& outcome, std::optional<std::vector<ShardStep>> steps)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  // Tells readers and watchers of a commit.
  void Announce(const CommitOutcome& outcome);

  // Lets nothing be committed any more. Returns `why`.
  absl::Status Poison(const absl::Status& why);

  OrderedStore& store_;
  Anchor& anchor_;
  ShardSteps shard_steps_;
  const Uuid node_id_;
  const v1::Epoch epoch_;
  const v1::NodeMode mode_;
  std::atomic<int64_t> commit_began_nanos_ = 0;  // Since 1970; 0: none is under way.
  Mutex commit_mutex_;                           // Held during a whole commit: the single writer.
  stored::v1::StoreState state_ ABSL_GUARDED_BY(commit_mutex_);
  mutable Mutex mutex_;
  // Set for good when the store failed in a write, or the anchor could not follow a commit: nothing
  // more is acknowledged then.
  absl::Status poisoned_ ABSL_GUARDED_BY(mutex_);
  uint64_t durable_head_ ABSL_GUARDED_BY(mutex_) = 0;
  Mutex watch_mutex_;  // Held while watchers are woken, so that none is woken after its `Unwatch`.
  int64_t next_watch_ ABSL_GUARDED_BY(watch_mutex_) = 1;
  absl::flat_hash_map<int64_t, std::function<void(const CommitOutcome&)>> watches_
      ABSL_GUARDED_BY(watch_mutex_);
};

}  // namespace sluice
