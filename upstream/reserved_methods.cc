#include "upstream/reserved_methods.h"

#include "absl/status/status.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/replication_service.pb.h"

namespace sluice {

void AddReservedMethods(Router& router) {
  router.Unary<v1::PinUpdatesRequest, v1::PinUpdatesResponse>(
      "sluice.v1.PolicyService/PinUpdates", [](const CallContext&, const v1::PinUpdatesRequest&) {
        return absl::UnimplementedError("this release takes no single updates");
      });
  router.Unary<v1::PreviewSelectionRequest, v1::PreviewSelectionResponse>(
      "sluice.v1.ReplicationService/PreviewSelection",
      [](const CallContext&, const v1::PreviewSelectionRequest&) {
        return absl::UnimplementedError("this release previews no selection");
      });
}

}  // namespace sluice
