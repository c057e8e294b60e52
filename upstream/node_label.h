// Node label: what people call a node above this one.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "storage/catalog.h"

namespace sluice {

// The label of the node above, as it last said; empty for one further up, which does not say it.
absl::StatusOr<std::string> LabelOfNodeAbove(const CatalogReader& reader, const Uuid& node);

}  // namespace sluice
