// Dangling check: updates here that need others which are not here: members of a bundle, and
// prerequisites none of whose alternatives is here.
//
// That a superseded update is absent is no harm: whoever supersedes does not need it.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/parity.pb.h"
#include "storage/catalog.h"

namespace sluice {

// What an update's current revision needs and lacks; empty when it is not here itself.
//
// Errors: DATA_LOSS damaged rows.
absl::StatusOr<std::vector<Uuid>> LackedBy(const CatalogReader& reader, const Uuid& update_id);

// The finding about one update; none when it lacks nothing.
absl::StatusOr<std::optional<v1::Finding>> DanglingOf(const CatalogReader& reader,
                                                      const Uuid& update_id);

// Looks at every update, by its columns, and adds what is not in `known` to `findings`. Costs a
// walk over the whole catalog, so it is for thorough checks.
absl::Status FindDangling(const CatalogReader& reader, const std::set<Uuid>& known,
                          std::vector<v1::Finding>& findings);

}  // namespace sluice
