#include "upstream/tree_service.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "upstream/page.h"

namespace sluice {
namespace {

constexpr int kNodesMax = 10'000;
constexpr int kDepthMax = 64;

std::string IdText(absl::string_view bytes) {
  const absl::StatusOr<Uuid> id = Uuid::FromBytes(bytes);
  return id.ok() ? id->ToString() : "";
}

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
    node.set_node_id(IdText(node.status().node_id()));
    node.set_upstream_id(IdText(node.status().upstream_id()));
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

TreeService::TreeService(Catalog& catalog, Clock& clock, Options options)
    : catalog_(catalog), clock_(clock), options_(std::move(options)) {}

void TreeService::SetListeners(std::vector<std::string> listeners) {
  options_.listeners = std::move(listeners);
}

void TreeService::AddTo(Router& router) {
  router.Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
      "sluice.v1.TreeService/ListNodes",
      [this](const CallContext&, const v1::ListNodesRequest& request) {
        return ListNodes(request);
      });
  router.Unary<v1::GetNodeRequest, v1::GetNodeResponse>(
      "sluice.v1.TreeService/GetNode",
      [this](const CallContext&, const v1::GetNodeRequest&) { return GetNode(); });
}

absl::StatusOr<v1::TreeNode> TreeService::Self() const {
  v1::TreeNode node;
  ASSIGN_OR_RETURN(*node.mutable_status(), options_.self());
  *node.mutable_heard_at() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  // What this node has not followed yet, its upstream knows.
  node.set_lag(options_.upstream_target.empty() ? 0 : -1);
  return node;
}

absl::StatusOr<v1::ListNodesResponse> TreeService::ListNodes(
    const v1::ListNodesRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  size_t begin = 0;
  if (!page.after.empty() && !absl::SimpleAtoi(page.after, &begin)) {
    return InvalidRequest({{"page_token", "is none that this node gave out"}});
  }
  ASSIGN_OR_RETURN(auto rows,
                   catalog_.Read().ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  std::vector<v1::TreeNode> below;
  for (auto& [key, node] : rows) below.push_back(std::move(node));
  ASSIGN_OR_RETURN(v1::TreeNode self, Self());
  std::vector<v1::TreeNode> nodes;
  TreeWalk(std::move(below)).Visit(std::move(self), 0, nodes);

  v1::ListNodesResponse response;
  const size_t end = std::min(begin + static_cast<size_t>(page.size), nodes.size());
  for (size_t i = begin; i < end; ++i) *response.add_nodes() = std::move(nodes[i]);
  if (end < nodes.size()) response.set_next_page_token(PageToken(absl::StrCat(end)));
  return response;
}

absl::StatusOr<v1::GetNodeResponse> TreeService::GetNode() const {
  v1::GetNodeResponse response;
  ASSIGN_OR_RETURN(*response.mutable_node(), Self());
  response.mutable_node()->set_node_id(IdText(response.node().status().node_id()));
  response.mutable_node()->set_upstream_id(IdText(response.node().status().upstream_id()));
  response.set_upstream_target(options_.upstream_target);
  response.mutable_listeners()->Add(options_.listeners.begin(), options_.listeners.end());
  return response;
}

}  // namespace sluice
