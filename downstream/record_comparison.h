// Record comparison: from the members of shards that differ to findings. Pure.
#pragma once

#include <vector>

#include "sluice/v1/parity_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// The records of all shards that differ, as one side has them.
using MemberList = std::vector<ShardMember>;

// What a record is about, whichever of its revisions it is.
RecordKey SubjectOf(const RecordKey& key);

// What differs. Revisions are the same when their digests are, whatever their numbers. Titles are
// left empty.
std::vector<v1::Finding> CompareMembers(const MemberList& here, const MemberList& upstream);

// The finding that this node keeps a record which its upstream's history lacks.
v1::Finding KeptFinding(const RecordKey& key);

}  // namespace sluice
