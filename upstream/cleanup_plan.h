// Cleanup plan: which revisions and updates of a catalog a clean-up takes. Pure reading; the one
// place that judges.
//
// An update goes whole, with its decisions and its expiry, or loses its old revisions. What stays
// in any case: what a lease in force names, what an approved update needs, and the revision that a
// decision in force names.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/catalog.h"
#include "storage/decisions.h"
#include "storage/leases.h"
#include "storage/seq_times.h"

namespace sluice {

// What is to go of one update.
struct CleanupVictim {
  Uuid update;
  std::string title;
  bool whole = false;
  uint64_t since_seq = 0;            // Of the last change that counts.
  std::vector<RecordKey> revisions;  // That go.
  std::vector<RecordKey> followers;  // Its policy and expiry, when it goes whole.
  std::vector<Digest> files;         // That these revisions name.
};

struct CleanupVerdict {
  std::optional<CleanupVictim> victim;  // None: it stays.
  int64_t leased = 0;                   // Revisions that would go but for a lease.
};

class CleanupPlan {
 public:
  // Looks through the catalog for what `request`, which is valid, may concern.
  static absl::StatusOr<CleanupPlan> Make(const CatalogReader& reader,
                                          const v1::CleanUpCatalogRequest& request, absl::Time now);

  // How an update stands now.
  absl::StatusOr<CleanupVerdict> Judge(const CatalogReader& reader, const Uuid& update) const;

  // All that goes now, oldest first, at most as many revisions as the request says. Whole updates:
  // none is begun that would go beyond it.
  absl::StatusOr<std::vector<CleanupVictim>> JudgeAll(const CatalogReader& reader, int64_t& leased);

  // Takes in what changed since it was made or last followed: decisions and leases.
  absl::Status Follow(const CatalogReader& reader, absl::Time now);
  // All up to there is known or was done by this clean-up.
  void SetSeen(uint64_t seq) { seen_seq_ = seq; }

 private:
  explicit CleanupPlan(v1::CleanUpCatalogRequest request) : request_(std::move(request)) {}

  absl::Status ReadDecisions(const CatalogReader& reader);
  absl::Status CollectCandidates(const CatalogReader& reader);
  absl::Status AddNeedsOf(const CatalogReader& reader, const Uuid& approved);
  absl::StatusOr<bool> GoesWhole(const CatalogReader& reader, const UpdateStanding& standing,
                                 const Uuid& update, uint64_t& since_seq) const;
  bool IsOldEnough(uint64_t seq) const;

  v1::CleanUpCatalogRequest request_;
  absl::Time unchanged_since_;
  SeqTimes times_;
  LeaseBook leases_;
  uint64_t seen_seq_ = 0;
  std::set<Uuid> approved_;
  std::set<Uuid> declined_;
  std::map<Uuid, Uuid> superseded_;  // And by which approved one.
  std::set<Uuid> candidates_;
  absl::flat_hash_set<Uuid> needed_;  // By approved updates.
};

}  // namespace sluice
