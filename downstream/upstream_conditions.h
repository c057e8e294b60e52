// Upstream conditions: what stands against the way a node follows: that another than the preferred
// upstream is followed, and that the history of the upstream lacks what this node keeps.
#pragma once

#include <vector>

#include "downstream/upstream_follower.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// FAILED_OVER, or HISTORY_DIFFERS: while another upstream is followed it may only be late, so what
// it lacks is told in the words of the one condition. `waiting`: it is known to be late.
std::vector<v1::Condition> UpstreamConditions(const CatalogReader& reader,
                                              const UpstreamFollower::State& state, bool waiting);

}  // namespace sluice
