// Own acknowledgements: how far decided updates have come at this node itself.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/content_wants.h"
#include "storage/selection.h"

namespace sluice {

// SHA-256 over the sorted digests of the decisions in force about an update; empty when there are
// none.
absl::StatusOr<std::string> DigestOfDecisions(const CatalogReader& reader, const Uuid& update_id);

// What this node says of one update now, going on from what it said `before` (empty: nothing).
// `anew`: its current revision came or was stamped anew since.
absl::StatusOr<v1::UpdateAcknowledgement> Acknowledge(
    const CatalogReader& reader, const Uuid& update_id, const Selection& selection,
    const std::function<bool(const ContentInfo&)>& present, const v1::UpdateAcknowledgement& before,
    bool anew, absl::Time now);

// Looks at `touched` and stores what is new. Returns whether anything was.
absl::StatusOr<bool> AcknowledgeTouched(Catalog& catalog, const TouchedUpdates& touched,
                                        const Selection& selection,
                                        const std::function<bool(const ContentInfo&)>& present,
                                        absl::Time now);

}  // namespace sluice
