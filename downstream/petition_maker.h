// Petition maker: from findings to what this node asks of the one above. Pure over the catalog.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/parity.pb.h"
#include "sluice/v1/petition.pb.h"
#include "storage/catalog.h"

namespace sluice {

// What this node keeps of what a finding is about; empty when nothing.
absl::StatusOr<std::vector<RecordKey>> KeptRecords(const CatalogReader& reader,
                                                   const v1::Finding& finding);

// Asks for the products, classifications and languages of these updates that `upstream`, the
// subscription of the node above, does not name; none when it names them all.
absl::StatusOr<std::vector<v1::Petition>> MakeWiden(const CatalogReader& reader,
                                                    const v1::Subscription& upstream,
                                                    const std::vector<v1::Finding>& findings);

// Asks for these updates one by one; for what is dangling, for what it lacks.
absl::StatusOr<std::vector<v1::Petition>> MakePins(const CatalogReader& reader,
                                                   const std::vector<v1::Finding>& findings);

// Offers the records that this node keeps, as they were before it kept them; at most 100 petitions.
absl::StatusOr<std::vector<v1::Petition>> MakeReturns(const CatalogReader& reader,
                                                      const std::vector<v1::Finding>& findings);

}  // namespace sluice
