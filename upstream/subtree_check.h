// Subtree check: what all nodes below find when each compares itself with its upstream.
//
// Nobody is called downwards. The wish is put on the board, those who watch are called to report,
// hear of it in the answer, compare, pass it on, and report again; what they found comes up like
// every other state of theirs. So the check says what has come in, as it comes in.
#pragma once

#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sluice/v1/parity_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// The nodes below, as last reported here, with their depths, parents before children.
absl::StatusOr<std::vector<v1::TreeNode>> NodesBelow(const CatalogReader& reader);

// What was kept of a node's last check, as an answer.
v1::NodeParity ParityOf(const v1::TreeNode& node);

// Collects answers. Pure: it is told the state of the catalog, again and again.
class SubtreeCheck {
 public:
  explicit SubtreeCheck(absl::Time wanted_at) : wanted_at_(wanted_at) {}

  // This node's own result, and that of each node below that has come in since it was last asked.
  std::vector<v1::CheckResponse> AddOwn(const v1::NodeParity& own);
  absl::StatusOr<std::vector<v1::CheckResponse>> Collect(const CatalogReader& reader);
  // All known nodes have answered.
  bool complete() const { return complete_; }
  // Those that have not, and then the summary over all.
  absl::StatusOr<std::vector<v1::CheckResponse>> Finish(const CatalogReader& reader);

 private:
  void Say(const v1::NodeParity& node, std::vector<v1::CheckResponse>& responses);
  void Count(const v1::NodeParity& node);

  const absl::Time wanted_at_;
  std::set<std::string> answered_;  // Node ids.
  bool complete_ = false;
  v1::CheckSummary total_;
  bool all_in_parity_ = true;
};

}  // namespace sluice
