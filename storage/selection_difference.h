// Selection difference: which of the updates here another selection would take more, and which no
// longer.
//
// It goes by shards first. Only of shards that one of the two takes and the other does not are
// members read, and only of updates that come or go their records.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/uuid.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/selection.h"

namespace sluice {

// Sorted.
struct UpdateDifference {
  std::vector<Uuid> gained;
  std::vector<Uuid> lost;
};

// Of what `reader` has, leaving out what `excluded_keeper` keeps: that stays whatever it selects.
absl::StatusOr<UpdateDifference> CompareSelections(const CatalogReader& reader,
                                                   const Selection& before, const Selection& after,
                                                   const Uuid& excluded_keeper);

// What the decisions here say about updates that come, where no node hides them: counts, titles,
// bytes of files that are not wanted yet. `decisions`: false where the taker decides itself.
absl::Status DescribeGained(const CatalogReader& reader, const UpdateDifference& difference,
                            const Selection& after, bool decisions,
                            v1::SelectionDifference& description);

// The same about updates that go: bytes are those of files that are present and that no other
// update names.
absl::Status DescribeLost(const CatalogReader& reader, const UpdateDifference& difference,
                          const std::function<bool(const ContentInfo&)>& present,
                          v1::SelectionDifference& description);

}  // namespace sluice
