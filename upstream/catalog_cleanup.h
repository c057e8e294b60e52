// Catalog cleanup: deletes at the origin what nobody needs any more, as operations that replicate:
// tombstones in the change log, which are kept for ever.
//
// It deletes in commits of bounded size, each with its audit entry, so that readers and nodes below
// go on meanwhile. Every update is judged again in the very commit that deletes it. What was not
// done when the process ended, the next run finds by itself.
#pragma once

#include <functional>
#include <set>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "upstream/cleanup_plan.h"

namespace sluice {

// Of the records of a catalog, in percent; more is only deleted when it was confirmed.
inline constexpr int kCleanupGuardPercent = 20;

class CatalogCleanup {
 public:
  // Puts the audit entry of one commit.
  using NoteAudit = std::function<void(absl::string_view subject, absl::string_view detail,
                                       CatalogChange& change)>;

  CatalogCleanup(Catalog& catalog, ContentStore& content, Clock& clock)
      : catalog_(catalog), content_(content), clock_(clock) {}

  // Begins no further commit at `stop_at`; running it again goes on.
  //
  // Errors:
  //   INVALID_ARGUMENT                a field is out of range, or nothing is chosen.
  //   FAILED_PRECONDITION GUARD_HELD  it is more than the share, and not confirmed.
  absl::StatusOr<v1::CleanUpCatalogResponse> Run(const v1::CleanUpCatalogRequest& request,
                                                 absl::Time stop_at, const NoteAudit& note_audit);

 private:
  absl::Status CheckShare(const std::vector<CleanupVictim>& victims) const;
  void AddPlanned(const std::vector<CleanupVictim>& victims,
                  v1::CleanUpCatalogResponse& response) const;
  // Deletes those from `begin` on that fit into one commit; returns the first that did not.
  absl::StatusOr<size_t> DeleteSome(const std::vector<CleanupVictim>& victims, size_t begin,
                                    CleanupPlan& plan, const NoteAudit& note_audit,
                                    v1::CleanUpCatalogResponse& response);
  absl::Status Release(v1::CleanUpCatalogResponse& response);

  Catalog& catalog_;
  ContentStore& content_;
  Clock& clock_;
};

}  // namespace sluice
