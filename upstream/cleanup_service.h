// Cleanup service: deletes at the origin, and what nodes below still need, of
// sluice.v1.MaintenanceService.
#pragma once

#include <atomic>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/rpc/router.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "upstream/audit.h"

namespace sluice {

class CleanupService {
 public:
  // `is_origin`: this node follows nobody. References must outlive the service.
  CleanupService(Catalog& catalog, ContentStore& content, Audit& audit, Clock& clock,
                 bool is_origin)
      : catalog_(catalog), content_(content), audit_(audit), clock_(clock), is_origin_(is_origin) {}

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

 private:
  absl::StatusOr<v1::CleanUpCatalogResponse> CleanUp(const CallContext& context,
                                                     const v1::CleanUpCatalogRequest& request);
  absl::StatusOr<v1::ListLeasesResponse> ListLeases(const v1::ListLeasesRequest& request) const;

  Catalog& catalog_;
  ContentStore& content_;
  Audit& audit_;
  Clock& clock_;
  const bool is_origin_;
  std::atomic<bool> running_ = false;
};

}  // namespace sluice
