// Serving methods: puts what a node serves to those below it, and to clients, on a router.
#pragma once

#include "common/clock.h"
#include "common/rpc/router.h"
#include "upstream/content_server.h"
#include "upstream/replication_server.h"

namespace sluice {

// A node with a certificate speaks for itself only: a copy of its state directory with another
// certificate, or another node that takes its id, is found here. `node_id`: 16 bytes, as claimed.
//
// Errors: ALREADY_EXISTS DUPLICATE_NODE.
absl::Status CheckCaller(const CallContext& context, absl::string_view node_id);

// Adds sluice.v1.ReplicationService but for petitions. `server` must outlive all calls.
void AddReplicationMethods(ReplicationServer& server, Router& router);

// Adds sluice.v1.ContentService. `server` must outlive all calls.
void AddContentMethods(ContentServer& server, Clock& clock, Router& router);

}  // namespace sluice
