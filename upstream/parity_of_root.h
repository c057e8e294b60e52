// Parity of the root: there is nothing above to compare with, and the methods say so.
#pragma once

#include "common/rpc/router.h"

namespace sluice {

// Adds sluice.v1.ParityService of a node without upstream: every call is refused, and says why.
void AddParityMethodsOfRoot(Router& router);

}  // namespace sluice
