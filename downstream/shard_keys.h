// Shard keys: what the upstream has in some shards, all of it, by key.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "downstream/parity_peer.h"
#include "downstream/record_comparison.h"
#include "storage/record_key.h"

namespace sluice {

// In the exchange that `peer` has begun. Errors: the peer's; INVALID_ARGUMENT a key, digest or
// stamp that is none.
absl::StatusOr<MemberList> AskShardKeys(ParityPeer& peer, const std::vector<ShardId>& shards);

}  // namespace sluice
