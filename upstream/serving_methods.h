// Serving methods: puts what a node serves to those below it, and to clients, on a router.
#pragma once

#include "common/clock.h"
#include "common/rpc/router.h"
#include "upstream/content_server.h"
#include "upstream/replication_server.h"

namespace sluice {

// Adds sluice.v1.ReplicationService. `server` must outlive all calls.
void AddReplicationMethods(ReplicationServer& server, Router& router);

// Adds sluice.v1.ContentService. `server` must outlive all calls.
void AddContentMethods(ContentServer& server, Clock& clock, Router& router);

}  // namespace sluice
