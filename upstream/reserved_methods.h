// Reserved methods: what the contract names and this release does not do. They answer so, to those
// who may ask, instead of being unknown.
#pragma once

#include "common/rpc/router.h"

namespace sluice {

void AddReservedMethods(Router& router);

}  // namespace sluice
