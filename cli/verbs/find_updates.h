// Find updates: lets people name an update by its title where programs use its id.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/caller.h"
#include "sluice/v1/catalog_service.pb.h"

namespace sluice {

// Updates whose title, CVE, KB number or source package contains `text`.
absl::StatusOr<std::vector<v1::UpdateSummary>> MatchingUpdates(Caller& caller,
                                                               absl::string_view text);

// The update's id: `name` itself where it is a UUID, else that of the one update with exactly this
// title, or, when no title is the same, of the only one that `MatchingUpdates` finds.
//
// Errors: LocalFailure when none or several match; several are listed.
absl::StatusOr<std::string> ResolveUpdate(Caller& caller, absl::string_view name);

// All of `names`, each only once.
absl::StatusOr<std::vector<std::string>> ResolveUpdates(Caller& caller,
                                                        const std::vector<std::string>& names);

}  // namespace sluice
