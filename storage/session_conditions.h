// Session conditions: standing problems that the last sessions speak of or left behind.
#pragma once

#include <vector>

#include "sluice/v1/maintenance_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// One condition for each peer whose last ended session failed; with `peer`, for that one alone. And
// one when more updates would have to be picked one by one than are allowed. Empty when the rows
// cannot be read.
std::vector<v1::Condition> SessionConditions(const CatalogReader& reader,
                                             absl::string_view peer = "");

}  // namespace sluice
