// Decisions in force: what all that is stored about an update comes to at this node. Pure reading;
// the one place that judges.
//
// An approval follows the update's current revision unless it names one by digest. A decline beats
// every approval. A decision about something that is not here yet is pending: visible, without
// effect. At the origin of decisions it is not here any more, and the decision inactive. What nodes
// hold back (site_notices.h) is no decision and comes on top.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/digest.h"
#include "common/uuid.h"
#include "sluice/stored/v1/stored.pb.h"
#include "sluice/v1/catalog_service.pb.h"
#include "storage/catalog.h"
#include "storage/selection.h"
#include "storage/site_notices.h"

namespace sluice {

// One decision that was not cleared.
struct StandingDecision {
  v1::Decision decision;
  Stamp stamp;
  std::optional<RecordKey> revision;  // The revision an approval means, if it is here.
};

// An update as decisions leave it.
struct UpdateStanding {
  v1::UpdateState state = v1::UPDATE_STATE_NOT_APPROVED;
  std::optional<RecordColumns> current;     // None: no revision is here.
  std::vector<StandingDecision> decisions;  // By decision key.
  std::optional<RecordColumns> expiry;      // Set: expired at its source.

  bool declined() const { return state == v1::UPDATE_STATE_DECLINED; }
  bool approved() const { return state == v1::UPDATE_STATE_APPROVED; }
  bool inactive() const { return state == v1::UPDATE_STATE_INACTIVE; }
};

// Errors: DATA_LOSS damaged rows.
absl::StatusOr<UpdateStanding> StandingOf(const CatalogReader& reader, const Uuid& update_id);

// The files that the decisions about an update ask for, over its closure: itself, bundle members
// and prerequisites.
struct WantedFiles {
  std::vector<stored::v1::FileReference> files;
  std::vector<Uuid> needed;  // All other members of the closure, here or not.
  std::vector<Uuid> absent;  // Those of them that are not here.
};

// Empty when the update is not approved for installation, or is suppressed. Files are those of the
// languages that `selection` takes. `notices`: all that are here; those who ask once need not bring
// them.
absl::StatusOr<WantedFiles> FilesWantedFor(const CatalogReader& reader, const Uuid& update_id,
                                           const Selection& selection, const SiteNotices& notices);
absl::StatusOr<WantedFiles> FilesWantedFor(const CatalogReader& reader, const Uuid& update_id,
                                           const Selection& selection);

// The files of a revision and all that it needs, whatever is decided about it.
absl::StatusOr<WantedFiles> ClosureOf(const CatalogReader& reader, const RecordKey& revision,
                                      const Selection& selection);

// The key of the decision to approve for a group, as in "approve/<uuid>".
std::string ApprovalKey(const Uuid& group_id);
// The group in an approval's key; none for another kind of decision.
std::optional<Uuid> GroupOfDecisionKey(absl::string_view key);
inline constexpr absl::string_view kDeclineKey = "decline";
inline constexpr absl::string_view kLicenceKey = "licence";

}  // namespace sluice
