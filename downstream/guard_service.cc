#include "downstream/guard_service.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "downstream/removal_guard.h"
#include "sluice/v1/upstream_service.pb.h"
#include "storage/selection.h"

namespace sluice {
namespace {

absl::StatusOr<v1::ListUpstreamsResponse> ListUpstreams(const CatalogReader& reader,
                                                        const std::string& target) {
  v1::ListUpstreamsResponse response;
  v1::UpstreamStatus& upstream = *response.add_upstreams();
  upstream.set_target(target);
  upstream.set_current(true);
  upstream.set_set_by("configuration file");
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  if (const absl::StatusOr<Uuid> id = Uuid::FromBytes(above.node_id()); id.ok()) {
    upstream.set_node_id(id->ToString());
    upstream.set_node_name(above.node_name());
    *upstream.mutable_epoch() = above.epoch();
  }
  ASSIGN_OR_RETURN(std::optional<v1::HeldRemoval> held, ReadHeldRemoval(reader));
  if (held.has_value()) *response.mutable_held() = *std::move(held);
  return response;
}

}  // namespace

void AddGuardMethods(Catalog& catalog, GuardServiceOptions options, Router& router) {
  router.Unary<v1::ListUpstreamsRequest, v1::ListUpstreamsResponse>(
      "sluice.v1.UpstreamService/ListUpstreams",
      [&catalog, target = options.upstream_target](const CallContext&,
                                                   const v1::ListUpstreamsRequest&) {
        return ListUpstreams(catalog.Read(), target);
      });
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
