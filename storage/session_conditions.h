// Session conditions: standing problems that the last sessions speak of.
#pragma once

#include <vector>

#include "sluice/v1/maintenance_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// One condition for each peer whose last ended session failed; with `peer`, for that one alone.
// Empty when the rows cannot be read.
std::vector<v1::Condition> SessionConditions(const CatalogReader& reader,
                                             absl::string_view peer = "");

}  // namespace sluice
