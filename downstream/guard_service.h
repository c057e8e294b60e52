// Guard service: lets happen what the guard holds: ReleaseGuard of sluice.v1.UpstreamService. What
// it holds is told with the upstreams (upstream_service.h).
#pragma once

#include <functional>

#include "absl/strings/string_view.h"
#include "common/rpc/router.h"
#include "storage/catalog.h"

namespace sluice {

struct GuardServiceOptions {
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
