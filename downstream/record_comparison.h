// Record comparison: from the members of shards that differ to what differs. Pure.
//
// Here is only said what can be seen from keys, digests and stamps; what the upstream answers when
// it is asked about them refines it (upstream_answers.h).
#pragma once

#include <vector>

#include "sluice/v1/parity_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// The records of all shards that differ, as one side has them.
using MemberList = std::vector<ShardMember>;

// One subject that the two nodes have differently: an update's revisions, its policy, a category, a
// group.
struct Difference {
  v1::Finding finding;
  // What each side has of it, newest stamp last.
  MemberList here;
  MemberList upstream;
  // This node keeps it although its upstream's history lacks it.
  bool kept = false;
};

// What a record is about, whichever of its revisions it is.
RecordKey SubjectOf(const RecordKey& key);

// What differs. Revisions are the same when their digests are, whatever their numbers. Titles are
// left empty.
std::vector<Difference> CompareMembers(const MemberList& here, const MemberList& upstream);

// That this node keeps a record which its upstream's history lacks.
Difference KeptDifference(const ShardMember& member);

}  // namespace sluice
