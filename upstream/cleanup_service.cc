#include "upstream/cleanup_service.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "common/errors.h"
#include "common/status.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/leases.h"
#include "upstream/catalog_cleanup.h"
#include "upstream/page.h"

namespace sluice {
namespace {

// Before the caller's time is over, so that it hears how far this came.
constexpr absl::Duration kTimeToAnswer = absl::Seconds(10);

}  // namespace

absl::StatusOr<v1::CleanUpCatalogResponse> CleanupService::CleanUp(
    const CallContext& context, const v1::CleanUpCatalogRequest& request) {
  if (!is_origin_) {
    return MakeError(v1::REASON_NOT_ORIGIN, "the catalog is cleaned up at the root of the tree");
  }
  if (running_.exchange(true)) return absl::UnavailableError("a clean-up is under way");
  const absl::Cleanup ended = [this] { running_ = false; };
  return CatalogCleanup(catalog_, content_, clock_)
      .Run(request, context.deadline - kTimeToAnswer,
           [&](absl::string_view subject, absl::string_view detail, CatalogChange& change) {
             audit_.Add(context, "clean up", subject, detail, change);
           });
}

absl::StatusOr<v1::ListLeasesResponse> CleanupService::ListLeases(
    const v1::ListLeasesRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<v1::Lease> leases,
                   LeasesBelow(reader, page.after, page.size + 1));
  v1::ListLeasesResponse response;
  for (const v1::Lease& lease : leases) {
    if (response.leases_size() == page.size) {
      response.set_next_page_token(PageToken(leases[leases.size() - 2].node_id()));
      break;
    }
    v1::LeaseStatus& status = *response.add_leases();
    ASSIGN_OR_RETURN(const Uuid node, Uuid::FromBytes(lease.node_id()));
    status.set_node_id(node.ToString());
    const absl::StatusOr<v1::TreeNode> known =
        reader.GetRow<v1::TreeNode>(Family::kNodes, node.view());
    if (known.ok()) status.set_node_name(known->status().name());
    status.set_updates(lease.update_ids().size());
    *status.mutable_expires_at() = lease.expires_at();
    status.set_lapsed(!InForce(lease, clock_.Now()));
  }
  return response;
}

void CleanupService::AddTo(Router& router) {
  router.Unary<v1::CleanUpCatalogRequest, v1::CleanUpCatalogResponse>(
      "sluice.v1.MaintenanceService/CleanUpCatalog",
      [this](const CallContext& context, const v1::CleanUpCatalogRequest& request) {
        return CleanUp(context, request);
      });
  router.Unary<v1::ListLeasesRequest, v1::ListLeasesResponse>(
      "sluice.v1.MaintenanceService/ListLeases",
      [this](const CallContext&, const v1::ListLeasesRequest& request) {
        return ListLeases(request);
      });
}

}  // namespace sluice
