// Pins: updates that an operator takes one by one, whatever the subscription of the node says.
#pragma once

#include "absl/status/statusor.h"
#include "common/rpc/call_context.h"
#include "sluice/v1/policy_service.pb.h"
#include "storage/catalog.h"
#include "upstream/audit.h"

namespace sluice {

// Adds pins to this node's subscription, or takes them away. One that is malformed does not stop
// the others.
//
// Errors:
//   INVALID_ARGUMENT    more than 1,000 ids.
//   RESOURCE_EXHAUSTED  more than 100,000 pins.
absl::StatusOr<v1::PinUpdatesResponse> PinUpdates(Catalog& catalog, Audit& audit,
                                                  const CallContext& context,
                                                  const v1::PinUpdatesRequest& request);

}  // namespace sluice
