#include "downstream/upstream_check.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"

namespace sluice {

absl::Status CheckUpstream(const v1::HelloResponse& hello, const Uuid& self) {
  const absl::StatusOr<Uuid> upstream = Uuid::FromBytes(hello.node_id());
  if (!upstream.ok()) return Annotate(upstream.status(), "the upstream's node id");
  if (*upstream == self) {
    return MakeError(v1::REASON_LOOP,
                     absl::StrCat("the upstream \"", hello.node_name(), "\" is this node itself"));
  }
  for (const std::string& ancestor : hello.ancestors()) {
    if (ancestor == self.view()) {
      return MakeError(v1::REASON_LOOP,
                       absl::StrCat("this node is above its upstream \"", hello.node_name(), "\""));
    }
  }
  return absl::OkStatus();
}

}  // namespace sluice
