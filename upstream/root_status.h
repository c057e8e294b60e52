// Root status: what the root says of itself in the tree, and what stands in its way.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/tree.pb.h"
#include "storage/catalog.h"
#include "upstream/origin_content.h"

namespace sluice {

absl::StatusOr<v1::NodeStatus> StatusOfRoot(const CatalogReader& reader, const std::string& name,
                                            const OriginContent& content, absl::Time now);

// One condition for each source whose last import failed.
std::vector<v1::Condition> ConditionsOfRoot(const CatalogReader& reader);

}  // namespace sluice
