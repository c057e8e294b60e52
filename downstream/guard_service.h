// Guard service: tells what the guard holds and lets it happen: ListUpstreams and ReleaseGuard of
// sluice.v1.UpstreamService.
#pragma once

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/rpc/router.h"
#include "storage/catalog.h"

namespace sluice {

struct GuardServiceOptions {
  // The upstream as it is configured.
  std::string upstream_target;
  // Puts the audit entry of a release.
  std::function<void(const CallContext& context, absl::string_view subject,
                     absl::string_view detail, CatalogChange& change)>
      note_audit;
  // Starts a synchronisation.
  std::function<void()> start_sync;
};

// `catalog` must outlive all calls.
void AddGuardMethods(Catalog& catalog, GuardServiceOptions options, Router& router);

}  // namespace sluice
