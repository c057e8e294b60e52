// Own place: what decides at this node about one update, read from its own store.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/uuid.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/selection.h"
#include "storage/update_explanation.h"

namespace sluice {

// `present`: whether the file is here and verified. `now`: for what is held back until some time.
// Times are left open, since no record tells them; so are the node's names.
//
// Errors: DATA_LOSS damaged rows.
absl::StatusOr<PlaceFacts> OwnPlace(const CatalogReader& reader, const Uuid& update_id,
                                    const Selection& selection,
                                    const std::function<bool(const ContentInfo&)>& present,
                                    absl::Time now);

// The first row of a file that is not here because something failed.
absl::StatusOr<v1::ItemStatus> ContentFailureOf(const CatalogReader& reader, const Digest& file);

}  // namespace sluice
