#include "upstream/node_label.h"

#include "common/status.h"
#include "storage/selection.h"

namespace sluice {

absl::StatusOr<std::string> LabelOfNodeAbove(const CatalogReader& reader, const Uuid& node) {
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  return above.node_id() == node.view() ? above.node_name() : std::string();
}

}  // namespace sluice
