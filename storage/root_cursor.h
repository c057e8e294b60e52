// Root cursor: how far a node has followed the root, through all nodes in between.
//
// A node that is at its upstream's head with an equal fingerprint has followed the root as far as
// its upstream had then. So the root's seq travels down with every such mark, and says for any
// record whether a node has it, without a word about the record itself.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "storage/catalog.h"

namespace sluice {

// Where a node that follows keeps its own, a v1::Cursor: Family::kSettings.
inline constexpr absl::string_view kRootCursorSetting = "root_cursor";

// Whether nobody is above this node.
absl::StatusOr<bool> IsRoot(const CatalogReader& reader);

// Whose upstream_id is the root's node id. The root's own is its head; none where it is not known
// yet.
absl::StatusOr<std::optional<v1::Cursor>> ReadRootCursor(const CatalogReader& reader);

}  // namespace sluice
