// Ordered store: families of sorted keys with atomic batches, the medium under the catalog.
//
// Everything that the catalog promises (cursor, records, index entries and fingerprints change
// together or not at all) rests on one call: `Write`. RocksDB is the real medium; the memory medium
// passes the same contract tests and runs in the simulator, where it can lose what was not synced.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

// The key spaces. storage/README.md gives keys, values and invariants of each.
enum class Family {
  kState,         // One row: the whole store's state.
  kRecords,       // Record key -> header and body.
  kLog,           // Seq -> log entry.
  kLogPosition,   // Record key and shard -> seq of the left entry.
  kShards,        // Shard id -> definition and fingerprint.
  kShardMembers,  // Shard id and record key -> digest and stamp.
  kFileUses,      // File digest and record key -> nothing.
  kDependents,    // Id of an update and key of a revision that needs it -> nothing.
  kContent,       // File digest -> content row.
  kContentOrigins,
  kCursors,   // Upstream id -> cursor.
  kSessions,  // Session id -> session.
  kMissing,   // Item -> missing row.
  kFindings,
  kAudit,             // Entry id -> audit entry.
  kNodes,             // Node id -> the status a node below reported.
  kSettings,          // Name -> what an operator set here: subscription and the like.
  kSources,           // Source name -> source state.
  kAcknowledgements,  // Node id, update id -> how far the update has come there.
  kLeases,            // Node id -> what the node needs.
  kPetitions,         // Petition id -> petition.
  kDictionaries,      // Dictionary id -> dictionary.
};
inline constexpr int kFamilyCount = 22;

// The name of the family's column family on disk.
absl::string_view FamilyName(Family family);

// Changes that happen together or not at all, applied in order.
class WriteSet {
 public:
  struct Change {
    Family family;
    std::string key;
    std::optional<std::string> value;  // None: delete.
  };

  void Put(Family family, absl::string_view key, absl::string_view value);
  void Delete(Family family, absl::string_view key);
  const std::vector<Change>& changes() const { return changes_; }
  bool empty() const { return changes_.empty(); }

 private:
  std::vector<Change> changes_;
};

// A walk over [from, until) of one family, in key order. The status must be looked at when the walk
// is over: damage ends it early.
class OrderedCursor {
 public:
  virtual ~OrderedCursor() = default;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual absl::string_view key() const = 0;
  virtual absl::string_view value() const = 0;
  virtual absl::Status status() const = 0;
};

// A view of the store that does not change while it is held.
class OrderedView {
 public:
  virtual ~OrderedView() = default;

  // Errors:
  //   NOT_FOUND  no such key.
  //   DATA_LOSS  damaged bytes.
  virtual absl::StatusOr<std::string> Get(Family family, absl::string_view key) const = 0;

  // Walks [from, until); an empty `until` means to the end of the family. The cursor must not
  // outlive the view.
  virtual std::unique_ptr<OrderedCursor> Scan(Family family, absl::string_view from,
                                              absl::string_view until) const = 0;
};

// Many rows at once for families that hold nothing in their range yet, sorted beforehand: what a
// batch is to a few. Nothing of it is visible, and nothing of it is left when it is destroyed,
// until `Commit`.
class SortedIngest {
 public:
  virtual ~SortedIngest() = default;

  // Adds a row: ascending keys in a family. Threads may add at once, to families of their own.
  //
  // Errors:
  //   INVALID_ARGUMENT    the key is not larger than the one before.
  //   RESOURCE_EXHAUSTED  no space.
  virtual absl::Status Put(Family family, absl::string_view key, absl::string_view value) = 0;

  // Makes all rows durable and visible together, or none of them. Once, last. A row takes the place
  // of one with the same key. Errors: those of OrderedStore::Write.
  virtual absl::Status Commit() = 0;

  // Where to put what has to be sorted first and is too much for memory; empty: there is no such
  // place. Emptied with the ingest.
  virtual std::string ScratchDirectory() const = 0;
};

class OrderedStore {
 public:
  virtual ~OrderedStore() = default;

  // The present state. Cheap.
  virtual std::shared_ptr<const OrderedView> View() const = 0;

  // Applies all of `changes` and returns when they would survive a power cut. Nothing is applied on
  // failure.
  //
  // Errors:
  //   RESOURCE_EXHAUSTED  no space.
  //   DATA_LOSS           the medium is damaged.
  virtual absl::Status Write(const WriteSet& changes) = 0;

  // Begins to take in many rows; one at a time, and it must be gone before the store is.
  virtual absl::StatusOr<std::unique_ptr<SortedIngest>> BeginIngest() = 0;
};

}  // namespace sluice
