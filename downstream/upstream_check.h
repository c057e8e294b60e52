// Upstream check: whether who answered a `Hello` can be followed by this node.
#pragma once

#include "absl/status/status.h"
#include "common/uuid.h"
#include "sluice/v1/replication_service.pb.h"

namespace sluice {

// Errors:
//   INVALID_ARGUMENT     the answer carries no node id.
//   FAILED_PRECONDITION  LOOP: it is this node itself, or below it.
absl::Status CheckUpstream(const v1::HelloResponse& hello, const Uuid& self);

}  // namespace sluice
