// Upstream adoption: the upstream wins. What this node keeps, because the history of its upstream
// lacks it, is removed here, and thereby at the nodes below.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "sluice/v1/upstream_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

// How many records this node keeps, of all that are here. Cheap.
struct KeptCount {
  int64_t records = 0;
  int64_t updates = 0;  // Revisions of updates among them.
  int64_t records_here = 0;
};
absl::StatusOr<KeptCount> CountKept(const CatalogReader& reader);

// What an adoption would remove.
absl::StatusOr<v1::AdoptUpstreamResponse> PreviewAdoption(const CatalogReader& reader,
                                                          ContentStore& content);

// Removes it, a bounded number of records a commit. The files that nothing names then are noted for
// release (storage/file_release.h) in the same commits. `first_commit` is called with the first
// change, for what belongs to it.
absl::StatusOr<v1::AdoptUpstreamResponse> AdoptUpstream(
    Catalog& catalog, ContentStore& content,
    const std::function<void(CatalogChange&)>& first_commit);

}  // namespace sluice
