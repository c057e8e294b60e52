// Record items: what a record is in a comparison by coded symbols (common/coded_symbols.h), and the
// proof that what was decoded is the whole difference.
//
// Two nodes hold the same when kind, id, keeper and digest are the same. A revision's number and
// the stamp are left out, as they are of the fingerprint: an upstream that was rebuilt and imported
// the same facts differs in nothing.
#pragma once

#include <cstdint>

#include "common/digest.h"
#include "common/sip_hash.h"
#include "storage/fingerprint.h"
#include "storage/record_key.h"

namespace sluice {

uint64_t ItemOf(const SipKey& session_key, const ShardId& shard, const RecordKey& key,
                const Digest& digest);

// What a comparison of the same shards found on both sides.
struct ComparedSums {
  Fingerprint here;
  Fingerprint there;
  Fingerprint only_here;
  Fingerprint only_there;
};

// Whether the difference is all of it. Nothing that was decoded may be relied on before: records
// whose items are equal by accident are not among what was decoded, but in the fingerprints. Those
// tell all records apart whose digests differ; one and the same fact under two keys or in two
// shards is told apart by its item alone (a chance of 2^-64 for each such fact).
bool IsWholeDifference(const ComparedSums& sums);

}  // namespace sluice
