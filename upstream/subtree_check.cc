#include "upstream/subtree_check.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "common/status.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kNodesMax = 10'000;
constexpr int kDepthMax = 64;

std::string IdText(absl::string_view bytes) {
  const absl::StatusOr<Uuid> id = Uuid::FromBytes(bytes);
  return id.ok() ? id->ToString() : "";
}

bool HasAnswered(const v1::TreeNode& node, absl::Time wanted_at) {
  const v1::ParityState& parity = node.status().parity();
  return parity.has_attempted_at() &&
         absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(parity.attempted_at())) >=
             wanted_at;
}

}  // namespace

absl::StatusOr<std::vector<v1::TreeNode>> NodesBelow(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(auto rows, reader.ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  std::map<std::string, std::vector<v1::TreeNode>> by_parent;
  for (auto& [key, node] : rows) {
    by_parent[node.status().upstream_id()].push_back(std::move(node));
  }
  // Level by level. What was taken is taken out, so that nodes that report a circle come once.
  std::vector<v1::TreeNode> nodes;
  std::vector<std::string> parents = {state.node_id()};
  for (int depth = 1; depth <= kDepthMax && !parents.empty(); ++depth) {
    std::vector<std::string> next;
    for (const std::string& parent : parents) {
      auto children = by_parent.extract(parent);
      if (children.empty()) continue;
      for (v1::TreeNode& child : children.mapped()) {
        child.set_depth(depth);
        child.set_node_id(IdText(child.status().node_id()));
        next.push_back(child.status().node_id());
        nodes.push_back(std::move(child));
      }
    }
    parents = std::move(next);
  }
  return nodes;
}

v1::NodeParity ParityOf(const v1::TreeNode& node) {
  v1::NodeParity parity;
  parity.set_node_id(node.node_id());
  parity.set_node_name(node.status().name());
  parity.set_depth(node.depth());
  *parity.mutable_state() = node.status().parity();
  return parity;
}

void SubtreeCheck::Say(const v1::NodeParity& node, std::vector<v1::CheckResponse>& responses) {
  for (const v1::Finding& found : node.state().findings()) {
    v1::Finding& finding = *responses.emplace_back().mutable_finding();
    finding = found;
    finding.set_node_id(node.node_id());
    finding.set_node_name(node.node_name());
  }
  v1::NodeParity& said = *responses.emplace_back().mutable_node();
  said = node;
  said.mutable_state()->clear_findings();
  Count(node);
}

void SubtreeCheck::Count(const v1::NodeParity& node) {
  if (node.overdue() || !node.state().failed_reason().empty()) {
    all_in_parity_ = false;
    return;
  }
  const v1::CheckSummary& summary = node.state().summary();
  all_in_parity_ = all_in_parity_ && summary.in_parity();
  total_.set_shards_compared(total_.shards_compared() + summary.shards_compared());
  total_.set_shards_differing(total_.shards_differing() + summary.shards_differing());
  total_.set_records_here(total_.records_here() + summary.records_here());
  total_.set_records_upstream(total_.records_upstream() + summary.records_upstream());
  total_.set_files_checked(total_.files_checked() + summary.files_checked());
  total_.set_findings(total_.findings() + summary.findings());
  total_.set_findings_standing(total_.findings_standing() + summary.findings_standing());
  total_.set_wire_bytes(total_.wire_bytes() + summary.wire_bytes());
  for (int i = 0; i < summary.findings_by_class_size(); ++i) {
    if (total_.findings_by_class_size() <= i) total_.add_findings_by_class(0);
    total_.set_findings_by_class(i, total_.findings_by_class(i) + summary.findings_by_class(i));
  }
}

std::vector<v1::CheckResponse> SubtreeCheck::AddOwn(const v1::NodeParity& own) {
  std::vector<v1::CheckResponse> responses;
  total_.set_upstream_id(own.state().summary().upstream_id());
  total_.set_upstream_name(own.state().summary().upstream_name());
  Say(own, responses);
  return responses;
}

absl::StatusOr<std::vector<v1::CheckResponse>> SubtreeCheck::Collect(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const std::vector<v1::TreeNode> nodes, NodesBelow(reader));
  std::vector<v1::CheckResponse> responses;
  complete_ = true;
  for (const v1::TreeNode& node : nodes) {
    if (answered_.contains(node.node_id())) continue;
    if (!HasAnswered(node, wanted_at_)) {
      complete_ = false;
      continue;
    }
    answered_.insert(node.node_id());
    Say(ParityOf(node), responses);
  }
  return responses;
}

absl::StatusOr<std::vector<v1::CheckResponse>> SubtreeCheck::Finish(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const std::vector<v1::TreeNode> nodes, NodesBelow(reader));
  std::vector<v1::CheckResponse> responses;
  for (const v1::TreeNode& node : nodes) {
    if (answered_.contains(node.node_id())) continue;
    v1::NodeParity overdue = ParityOf(node);
    overdue.set_overdue(true);
    overdue.mutable_state()->clear_findings();
    Say(overdue, responses);
  }
  total_.set_in_parity(all_in_parity_);
  total_.set_trigger(v1::PARITY_TRIGGER_SUBTREE);
  *total_.mutable_checked_at() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(wanted_at_));
  *responses.emplace_back().mutable_summary() = total_;
  return responses;
}

}  // namespace sluice
