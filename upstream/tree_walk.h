// Tree walk: nodes as they reported, in the order of the tree.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {

// `self` and those of `below` that hang under it, each parent before its children, with depth, lag
// and ids in text. Nodes that report a circle are taken once.
std::vector<v1::TreeNode> WalkTree(v1::TreeNode self, std::vector<v1::TreeNode> below);

// A node id in text; empty when it is none.
std::string NodeIdText(absl::string_view bytes);

}  // namespace sluice
