#include "upstream/tree_walk.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/uuid.h"

namespace sluice {
namespace {

constexpr int kDepthMax = 64;

// How far `node` is behind `upstream`; -1 when its cursor is of another history.
int64_t LagBehind(const v1::NodeStatus& node, const v1::NodeStatus& upstream) {
  const v1::Cursor& cursor = node.cursor();
  const bool same = cursor.upstream_id() == upstream.node_id() &&
                    cursor.epoch().epoch_id() == upstream.epoch().epoch_id();
  if (!same) return -1;
  return std::max<int64_t>(
      0, static_cast<int64_t>(upstream.head_seq()) - static_cast<int64_t>(cursor.seq()));
}

// Puts a node and those below it behind each other, parents before children.
class TreeWalk {
 public:
  explicit TreeWalk(std::vector<v1::TreeNode> nodes) {
    for (v1::TreeNode& node : nodes) {
      by_parent_[node.status().upstream_id()].push_back(std::move(node));
    }
  }

  void Visit(v1::TreeNode node, int depth, std::vector<v1::TreeNode>& out) {
    node.set_depth(depth);
    node.set_node_id(NodeIdText(node.status().node_id()));
    node.set_upstream_id(NodeIdText(node.status().upstream_id()));
    const v1::NodeStatus status = node.status();
    out.push_back(std::move(node));
    if (depth == kDepthMax) return;
    // Taken out, so that nodes that report a circle are visited once.
    auto children = by_parent_.extract(status.node_id());
    if (children.empty()) return;
    for (v1::TreeNode& child : children.mapped()) {
      child.set_lag(LagBehind(child.status(), status));
      Visit(std::move(child), depth + 1, out);
    }
  }

 private:
  std::map<std::string, std::vector<v1::TreeNode>> by_parent_;
};

}  // namespace

std::string NodeIdText(absl::string_view bytes) {
  const absl::StatusOr<Uuid> id = Uuid::FromBytes(bytes);
  return id.ok() ? id->ToString() : "";
}

std::vector<v1::TreeNode> WalkTree(v1::TreeNode self, std::vector<v1::TreeNode> below) {
  std::vector<v1::TreeNode> nodes;
  TreeWalk(std::move(below)).Visit(std::move(self), 0, nodes);
  return nodes;
}

}  // namespace sluice
