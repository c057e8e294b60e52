// Selection preview: what another subscription would bring and take, told by the node that would
// change together with the node above it. Changes nothing.
//
// What would come only the upstream can tell; what would go is here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

// At the upstream: by what it has.
//
// Errors:
//   INVALID_ARGUMENT  malformed ids.
//   DATA_LOSS         damaged rows.
absl::StatusOr<v1::PreviewSelectionResponse> PreviewSelection(
    const CatalogReader& reader, const v1::PreviewSelectionRequest& request);

// What a node needs in order to preview its own subscription.
struct PreviewSources {
  // Asks the upstream.
  std::function<absl::StatusOr<v1::PreviewSelectionResponse>(const v1::PreviewSelectionRequest&)>
      ask;
  // Whether the file is here.
  std::function<bool(const ContentInfo&)> present;
  v1::NodeMode mode = v1::NODE_MODE_REPLICA;
};

// Fills in what `intended` would change here, at the upstream, and for the nodes below. When the
// upstream does not answer, its half stays empty and the reason is given.
//
// Errors:
//   DATA_LOSS  damaged rows.
absl::Status PreviewSubscription(const CatalogReader& reader, const v1::Subscription& intended,
                                 const PreviewSources& sources,
                                 v1::SetSubscriptionResponse& response);

// Products, classifications and languages of `wanted` that one who takes `offered` does not take,
// in words, as in "product Debian/12".
absl::StatusOr<std::vector<std::string>> PartsNotTaken(const CatalogReader& reader,
                                                       const v1::Subscription& wanted,
                                                       const v1::Subscription& offered);

}  // namespace sluice
