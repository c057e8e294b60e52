// Record items: what a record is in a comparison by coded symbols (common/coded_symbols.h), and the
// proof that what was decoded is the whole difference.
//
// Two nodes hold the same fact when kind, id, keeper and digest are the same; a revision's number
// is for display. Whoever wants to hold it just as the other does, compares shard and stamp too:
// the stamp decides which of several revisions is the current one.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "common/digest.h"
#include "common/sip_hash.h"
#include "storage/catalog.h"
#include "storage/fingerprint.h"
#include "storage/record_key.h"

namespace sluice {

enum class ItemScope {
  kFact,    // In whatever shard and with whatever stamp.
  kPlaced,  // With its shard and stamp.
};

uint64_t ItemOf(const SipKey& session_key, ItemScope scope, const ShardId& shard,
                const ShardMember& member);

// Calls `visit` for every record of `shards`, shard by shard in the order given, then by key.
absl::Status ForEachMember(const CatalogReader& reader, const std::vector<ShardId>& shards,
                           const std::function<void(const ShardId&, const ShardMember&)>& visit);

// What a comparison of the same shards found on both sides.
struct ComparedSums {
  Fingerprint here;
  Fingerprint there;
  Fingerprint only_here;
  Fingerprint only_there;
};

// Whether the difference is all of it. Nothing that was decoded may be relied on before: records
// whose items are equal by accident are not among what was decoded, but in the fingerprints. Those
// tell all records apart whose digests differ; one and the same fact with two keys, shards or
// stamps is told apart by its item alone (a chance of 2^-64 for each such fact).
bool IsWholeDifference(const ComparedSums& sums);

}  // namespace sluice
