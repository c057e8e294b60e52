#include "downstream/guard_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "downstream/removal_guard.h"
#include "sluice/v1/upstream_service.pb.h"

namespace sluice {

void AddGuardMethods(Catalog& catalog, GuardServiceOptions options, Router& router) {
  router.Unary<v1::ReleaseGuardRequest, v1::ReleaseGuardResponse>(
      "sluice.v1.UpstreamService/ReleaseGuard",
      [&catalog, options = std::move(options)](
          const CallContext& context,
          const v1::ReleaseGuardRequest& request) -> absl::StatusOr<v1::ReleaseGuardResponse> {
        v1::ReleaseGuardResponse response;
        const auto make = [&](const CatalogReader& reader) -> absl::StatusOr<CatalogChange> {
          CatalogChange change;
          ASSIGN_OR_RETURN(*response.mutable_released(),
                           ReleaseHeldRemoval(reader, request.removal_id(), change));
          options.note_audit(context, request.removal_id(),
                             absl::StrCat(response.released().records(), " of ",
                                          response.released().records_here(), " records"),
                             change);
          return change;
        };
        RETURN_IF_ERROR(catalog.CommitMade(make).status());
        options.start_sync();
        return response;
      });
}

}  // namespace sluice
