// Decision comparison: two policies of one update, entry by entry. Pure.
#pragma once

#include <vector>

#include "sluice/v1/parity.pb.h"
#include "sluice/v1/record.pb.h"

namespace sluice {

using DecisionList = google::protobuf::RepeatedPtrField<v1::DecisionEntry>;

// One finding for each class of difference, with the decisions in its cause; empty when the two say
// the same. `policy`: what they have in common, as kind and id. An entry that cannot be read
// differs.
std::vector<v1::Finding> CompareDecisions(const v1::Finding& policy, const DecisionList& here,
                                          const DecisionList& upstream);

}  // namespace sluice
