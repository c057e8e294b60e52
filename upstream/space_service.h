// Space service: what is left on this node's volumes, and the ballast, of
// sluice.v1.MaintenanceService.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/router.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/state_directory.h"
#include "upstream/audit.h"

namespace sluice {

class SpaceService {
 public:
  // References must outlive the service.
  SpaceService(StateDirectory& state, Audit& audit) : state_(state), audit_(audit) {}

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  // What stands: too little space, a ballast that is not in place.
  std::vector<v1::Condition> Conditions() const;

 private:
  v1::GetSpaceResponse Get() const;
  absl::StatusOr<v1::ReleaseBallastResponse> Release(const CallContext& context,
                                                     const v1::ReleaseBallastRequest& request);
  absl::StatusOr<v1::ReserveBallastResponse> Reserve(const CallContext& context,
                                                     const v1::ReserveBallastRequest& request);
  absl::Status WriteAudit(const CallContext& context, absl::string_view action);

  StateDirectory& state_;
  Audit& audit_;
};

}  // namespace sluice
