// Update walk: the updates that a filter may take, in the order of their ids, by the shortest way
// to them: shards of few products, decisions that somebody made, or all headers.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/catalog_service.pb.h"
#include "storage/catalog.h"
#include "storage/selection.h"

namespace sluice {

class UpdateWalk {
 public:
  // `selection`: that of the filter's product and classification. `reader` must outlive the walk.
  static absl::StatusOr<UpdateWalk> Make(const CatalogReader& reader, v1::UpdateState state,
                                         const Selection& selection);

  // Current revisions of at most `max` further updates, which the filter may or may not take; none:
  // that was all. `after`: the last one that was looked at; nil: from the start.
  absl::StatusOr<std::vector<RecordColumns>> Next(const Uuid& after, int max) const;

  enum class Way { kHeaders, kShards, kDecisions };
  Way way() const { return way_; }

 private:
  explicit UpdateWalk(const CatalogReader& reader) : reader_(&reader) {}

  absl::StatusOr<std::vector<RecordColumns>> CurrentOf(const std::vector<Uuid>& ids) const;
  absl::StatusOr<std::vector<RecordColumns>> NextByDecisions(Uuid after, int max) const;

  const CatalogReader* reader_;
  v1::UpdateState state_ = v1::UPDATE_STATE_UNSPECIFIED;
  Way way_ = Way::kHeaders;
  std::vector<ShardInfo> shards_;  // That the selection takes.
};

}  // namespace sluice
