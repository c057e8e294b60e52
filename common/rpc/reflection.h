// Reflection: describes the services of a router to grpcurl, buf curl and their like.
//
// Both grpc.reflection.v1 and v1alpha, which differ in their names only.
#pragma once

#include "common/rpc/router.h"

namespace sluice {

// Adds both reflection services. They list what `router` serves at the time of asking, and describe
// everything that is linked into the process. `router` must outlive all calls.
void AddReflection(Router& router);

}  // namespace sluice
