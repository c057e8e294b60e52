// Catalog invariants: recomputes from the records what the books of a catalog must say
// (storage/README.md numbers them).
#pragma once

#include "absl/status/status.h"
#include "storage/catalog.h"

namespace sluice {

// Errors: INTERNAL naming the first thing that does not hold.
absl::Status CheckInvariants(const CatalogReader& reader);

}  // namespace sluice
