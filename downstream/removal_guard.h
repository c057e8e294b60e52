// Removal guard: holds a synchronisation that would remove more than a set share of this node's
// records until an operator says so.
//
// It counts what was removed in the last 24 hours, so that a large removal that comes in many small
// pieces, or over several sessions, is seen as one. What it counts and holds is a row of the
// catalog, and outlives a restart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/upstream_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class RemovalGuard {
 public:
  // `percent`: the share; 100: it never holds anything.
  RemovalGuard(Catalog& catalog, int percent) : catalog_(catalog), percent_(percent) {}

  bool on() const { return percent_ < 100; }

  // Whether `records` more may be removed now.
  absl::StatusOr<bool> Admits(int64_t records, absl::Time now) const;

  // Whether a batch of the tail that removes `records` should rather be compared for: what else is
  // to go shows only then.
  absl::StatusOr<bool> WantsLook(int64_t records, absl::Time now) const;
  void Looked() { since_look_ = 0; }

  // Counts what `change` removes.
  absl::Status NoteRemoved(int64_t records, absl::Time now, CatalogChange& change);

  // Holds the removal of these records. Returns why the session ends, GUARD_HELD.
  absl::Status Hold(std::vector<RecordKey> records, absl::string_view cause, absl::Time now);

  // The records here are what `subscription` takes of the upstream's: nothing is held any more.
  // Puts a row only if something changes.
  absl::Status Settle(const v1::Subscription& subscription, CatalogChange& change);

  // Whether the records here may still follow another subscription: what that takes along is its
  // operator's wish.
  absl::StatusOr<bool> SubscriptionChanged(const v1::Subscription& subscription) const;

 private:
  Catalog& catalog_;
  const int percent_;
  int64_t since_look_ = 0;
};

// How many records of this node a batch would remove. One that only moves counts as none.
absl::StatusOr<int64_t> CountRemovals(const CatalogReader& reader, const v1::ChangeBatch& batch);

// All records of a node.
absl::StatusOr<int64_t> CountRecords(const CatalogReader& reader);

// What the guard of this node holds; none: nothing.
absl::StatusOr<std::optional<v1::HeldRemoval>> ReadHeldRemoval(const CatalogReader& reader);

// Lets the held removal happen at the next synchronisation. Puts that into `change`.
//
// Errors: ABORTED STALE_VERSION nothing is held, or another removal than `removal_id`.
absl::StatusOr<v1::HeldRemoval> ReleaseHeldRemoval(const CatalogReader& reader,
                                                   absl::string_view removal_id,
                                                   CatalogChange& change);

// The condition of a held removal replaces that of the session that found it.
void AddHeldCondition(const CatalogReader& reader, std::vector<v1::Condition>& conditions);

}  // namespace sluice
