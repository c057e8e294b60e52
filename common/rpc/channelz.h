// Channelz: gRPC's own view of its servers, channels and sockets (grpc.channelz.v1), for grpcdebug
// and its like.
//
// What it shows (addresses of all peers) is for whoever administers this machine: it answers on
// Unix sockets that grant the role administrator, and nowhere else.
#pragma once

#include "common/rpc/router.h"

namespace sluice {

// Adds grpc.channelz.v1.Channelz.
void AddChannelz(Router& router);

}  // namespace sluice
