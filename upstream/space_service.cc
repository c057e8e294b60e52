#include "upstream/space_service.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/condition.h"

namespace sluice {
namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

v1::Volume VolumeOf(const std::string& purpose, const SpaceGuard& guard) {
  v1::Volume volume;
  volume.set_purpose(purpose);
  volume.set_path(guard.path());
  volume.set_free_bytes(guard.free_bytes());
  volume.set_keep_free_bytes(guard.keep_free_bytes());
  return volume;
}

}  // namespace

v1::GetSpaceResponse SpaceService::Get() const {
  v1::GetSpaceResponse response;
  *response.add_volumes() = VolumeOf(
      "store", state_.ballast().released() ? state_.last_store_space() : state_.store_space());
  *response.add_volumes() = VolumeOf("files", state_.content_space());
  response.set_ballast_bytes(state_.ballast().size_bytes());
  response.set_ballast_reserved(state_.ballast().reserved());
  return response;
}

absl::Status SpaceService::WriteAudit(const CallContext& context, absl::string_view action) {
  CatalogChange change;
  audit_.Add(context, action, state_.store_space().path(),
             absl::StrCat(state_.ballast().size_bytes() / kMebibyte, " MiB"), change);
  return state_.catalog().Commit(change).status();
}

absl::StatusOr<v1::ReleaseBallastResponse> SpaceService::Release(
    const CallContext& context, const v1::ReleaseBallastRequest& request) {
  v1::ReleaseBallastResponse response;
  if (state_.ballast().reserved()) response.set_released_bytes(state_.ballast().size_bytes());
  if (request.validate_only()) return response;
  // The space first: without it there may be none for the entry.
  RETURN_IF_ERROR(state_.ReleaseBallast());
  RETURN_IF_ERROR(WriteAudit(context, "release ballast"));
  return response;
}

absl::StatusOr<v1::ReserveBallastResponse> SpaceService::Reserve(
    const CallContext& context, const v1::ReserveBallastRequest& request) {
  v1::ReserveBallastResponse response;
  response.set_reserved_bytes(state_.ballast().size_bytes());
  if (state_.ballast().reserved()) return response;
  if (request.validate_only()) {
    RETURN_IF_ERROR(
        state_.store_space().Check(v1::REASON_STORE_NO_SPACE, state_.ballast().size_bytes()));
    return response;
  }
  RETURN_IF_ERROR(state_.ReserveBallast());
  RETURN_IF_ERROR(WriteAudit(context, "reserve ballast"));
  return response;
}

std::vector<v1::Condition> SpaceService::Conditions() const {
  std::vector<v1::Condition> conditions;
  if (const absl::Status space = state_.CheckSpace(); !space.ok()) {
    conditions.push_back(MakeCondition(ReasonOf(space), space.message(), absl::Now()));
  }
  if (state_.ballast().size_bytes() > 0 && !state_.ballast().reserved()) {
    conditions.push_back(MakeCondition(
        v1::REASON_BALLAST_RELEASED,
        absl::StrCat("the ballast of ", state_.ballast().size_bytes() / kMebibyte, " MiB in ",
                     state_.store_space().path(),
                     state_.ballast().released() ? " was released" : " found no room"),
        absl::Now()));
  }
  return conditions;
}

void SpaceService::AddTo(Router& router) {
  router.Unary<v1::GetSpaceRequest, v1::GetSpaceResponse>(
      "sluice.v1.MaintenanceService/GetSpace",
      [this](const CallContext&,
             const v1::GetSpaceRequest&) -> absl::StatusOr<v1::GetSpaceResponse> { return Get(); });
  router.Unary<v1::ReleaseBallastRequest, v1::ReleaseBallastResponse>(
      "sluice.v1.MaintenanceService/ReleaseBallast",
      [this](const CallContext& context, const v1::ReleaseBallastRequest& request) {
        return Release(context, request);
      });
  router.Unary<v1::ReserveBallastRequest, v1::ReserveBallastResponse>(
      "sluice.v1.MaintenanceService/ReserveBallast",
      [this](const CallContext& context, const v1::ReserveBallastRequest& request) {
        return Reserve(context, request);
      });
}

}  // namespace sluice
