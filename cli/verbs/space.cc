// `space list`, `space release`, `space reserve`: what is left on a node's volumes, and its
// ballast.
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/verbs.h"
#include "common/status.h"
#include "sluice/v1/maintenance_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kGet = "sluice.v1.MaintenanceService/GetSpace";
constexpr absl::string_view kRelease = "sluice.v1.MaintenanceService/ReleaseBallast";
constexpr absl::string_view kReserve = "sluice.v1.MaintenanceService/ReserveBallast";

std::string BallastText(const v1::GetSpaceResponse& space) {
  if (space.ballast_bytes() == 0) return "no ballast is configured";
  return absl::StrCat("ballast of ", HumanBytes(space.ballast_bytes()),
                      space.ballast_reserved() ? " in place" : " NOT in place");
}

absl::StatusOr<int> RunList(Invocation& invocation) {
  v1::GetSpaceResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kGet, v1::GetSpaceRequest(), response));
  invocation.Print(
      response,
      [&] {
        Table table({"FOR", ">FREE", ">KEPT FREE", "PATH"});
        for (const v1::Volume& volume : response.volumes()) {
          table.AddRow({volume.purpose(),
                        volume.free_bytes() < 0 ? "?" : HumanBytes(volume.free_bytes()),
                        HumanBytes(volume.keep_free_bytes()), volume.path()});
        }
        table.Print(invocation.out);
        invocation.out << BallastText(response) << "\n";
      },
      [&] {
        for (const v1::Volume& volume : response.volumes()) {
          invocation.out << volume.path() << "\n";
        }
      });
  return kExitOk;
}

absl::StatusOr<int> RunRelease(Invocation& invocation) {
  v1::ReleaseBallastRequest request;
  request.set_validate_only(invocation.dry_run);
  v1::ReleaseBallastResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kRelease, request, response));
  invocation.Print(
      response,
      [&] {
        if (response.released_bytes() == 0) {
          invocation.out << "there was no ballast in place\n";
        } else {
          invocation.out << (invocation.dry_run ? "would give back " : "gave back ")
                         << HumanBytes(response.released_bytes()) << "\n";
        }
      },
      [] {});
  return kExitOk;
}

absl::StatusOr<int> RunReserve(Invocation& invocation) {
  v1::ReserveBallastRequest request;
  request.set_validate_only(invocation.dry_run);
  v1::ReserveBallastResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kReserve, request, response));
  invocation.Print(
      response,
      [&] {
        invocation.out << HumanBytes(response.reserved_bytes())
                       << (invocation.dry_run ? " would be reserved\n" : " are reserved\n");
      },
      [] {});
  return kExitOk;
}

}  // namespace

Verb SpaceListVerb() {
  return {.name = "space list",
          .positionals = "",
          .summary = "Show what is free on the node's volumes, and whether its ballast is there.",
          .method = kGet,
          .flags = {},
          .run = RunList};
}

Verb SpaceReleaseVerb() {
  return {.name = "space release",
          .positionals = "",
          .summary = "Give the ballast's space away, so that a full node can write and clean up.",
          .method = kRelease,
          .flags = {},
          .changes_state = true,
          .run = RunRelease};
}

Verb SpaceReserveVerb() {
  return {.name = "space reserve",
          .positionals = "",
          .summary = "Take the ballast's space again.",
          .method = kReserve,
          .flags = {},
          .changes_state = true,
          .run = RunReserve};
}

}  // namespace sluice
