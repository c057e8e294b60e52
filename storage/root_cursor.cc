#include "storage/root_cursor.h"

#include <utility>

#include "common/status.h"
#include "storage/selection.h"

namespace sluice {

absl::StatusOr<bool> IsRoot(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  if (state.mode() != v1::NODE_MODE_UNSPECIFIED) return state.mode() == v1::NODE_MODE_ROOT;
  // A store of an early build: a node that follows has been greeted.
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  return above.node_id().empty();
}

absl::StatusOr<std::optional<v1::Cursor>> ReadRootCursor(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const bool is_root, IsRoot(reader));
  if (is_root) {
    ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
    v1::Cursor cursor;
    cursor.set_upstream_id(state.node_id());
    *cursor.mutable_epoch() = state.epoch();
    cursor.set_seq(state.head_seq());
    return std::optional<v1::Cursor>(std::move(cursor));
  }
  absl::StatusOr<v1::Cursor> stored =
      reader.GetRow<v1::Cursor>(Family::kSettings, kRootCursorSetting);
  if (absl::IsNotFound(stored.status())) return std::optional<v1::Cursor>();
  if (!stored.ok()) return stored.status();
  return std::optional<v1::Cursor>(*std::move(stored));
}

}  // namespace sluice
