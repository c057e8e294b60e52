// Reported place: what decides at a node below about one update, as far as it said so, and as far
// as it follows from what is known here. Pure.
#pragma once

#include "absl/time/time.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/update_explanation.h"

namespace sluice {

// What the answering node knows about the update and a node below it.
struct ReportedFacts {
  const PlaceFacts& own;     // At the answering node.
  const PlaceFacts& parent;  // At the node's upstream.
  const v1::TreeNode& node;
  const v1::UpdateAcknowledgement& acknowledgement;  // Empty: it said nothing.
  bool same_decisions = false;       // The acknowledgement speaks of those in force here.
  Known followed = Known::kUnknown;  // It has followed beyond the update's last change.
  Taken taken = Taken::kUnknown;     // By its own subscription.
  std::string left_out;
};

PlaceFacts ReportedPlace(const ReportedFacts& reported, absl::Time now);

// Whether a node has followed beyond the last change of the record with `seq` at the answering node
// `self`, whose own place in the root's history is `root`.
Known FollowedBeyond(const v1::NodeStatus& node, const v1::NodeStatus& self, const v1::Cursor& root,
                     uint64_t seq);

}  // namespace sluice
