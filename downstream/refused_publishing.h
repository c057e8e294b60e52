// Refused publishing: a node that follows another takes no updates from publishers, and says where
// to turn.
#pragma once

#include <string>

#include "common/rpc/router.h"

namespace sluice {

void AddRefusedPublishing(const std::string& upstream_target, Router& router);

}  // namespace sluice
