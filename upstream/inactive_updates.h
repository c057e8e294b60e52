// Inactive updates: decisions made here about updates that are no longer here, for those who list
// and clear them.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/catalog_service.pb.h"
#include "storage/catalog.h"
#include "upstream/page.h"

namespace sluice {

// A page of updates whose state is INACTIVE, by id. Nothing but that and the id is known of them.
//
// Errors: INVALID_ARGUMENT the token is none that this node gave out; DATA_LOSS damaged rows.
absl::StatusOr<v1::ListUpdatesResponse> ListInactiveUpdates(const CatalogReader& reader,
                                                            const Page& page);

}  // namespace sluice
