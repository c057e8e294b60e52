#include "upstream/heard_nodes.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/acknowledgements.h"
#include "storage/parity_rows.h"

namespace sluice {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kNodesMax = 10'000;
constexpr absl::Duration kLateMax = absl::Minutes(10);

// A report is stored as it came, and a node below may say anything.
void KeepBounded(v1::ParityState& state) {
  constexpr size_t kFindingBytesMax = 4096;
  auto& findings = *state.mutable_findings();
  if (findings.size() > kParityStateFindingsMax) {
    findings.DeleteSubrange(kParityStateFindingsMax, findings.size() - kParityStateFindingsMax);
  }
  for (v1::Finding& finding : findings) {
    if (finding.ByteSizeLong() > kFindingBytesMax) finding.Clear();
  }
}

absl::Time ReportedAt(const v1::NodeStatus& status) {
  return absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(status.reported_at()));
}

// Whether somebody has something to say that was not known.
bool IsNews(const v1::NodeStatus& said, const absl::StatusOr<v1::TreeNode>& known, absl::Time now) {
  if (!known.ok()) return now - ReportedAt(said) < kNodeForgottenAfter;
  const v1::NodeStatus& before = known->status();
  const bool by_former_upstream =
      said.upstream_id() != before.upstream_id() && ReportedAt(said) < ReportedAt(before);
  return !by_former_upstream && said.SerializeAsString() != before.SerializeAsString();
}

}  // namespace

absl::Status HearNodes(const CatalogReader& reader, const v1::ReportRequest& request,
                       absl::Time now, CatalogChange& change) {
  for (int i = 0; i < request.nodes_size(); ++i) {
    const v1::NodeStatus& said = request.nodes(i);
    const absl::StatusOr<Uuid> id = Uuid::FromBytes(said.node_id());
    if (!id.ok()) {
      return InvalidRequest(
          {{absl::StrCat("nodes[", i, "].node_id"), std::string(id.status().message())}});
    }
    const absl::StatusOr<v1::TreeNode> known =
        reader.GetRow<v1::TreeNode>(Family::kNodes, id->view());
    if (!known.ok() && !absl::IsNotFound(known.status())) return known.status();
    if (i > 0 && !IsNews(said, known, now)) continue;
    v1::TreeNode node;
    *node.mutable_status() = said;
    if (said.has_parity()) KeepBounded(*node.mutable_status()->mutable_parity());
    *node.mutable_heard_at() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
    change.PutRow(Family::kNodes, id->view(), node);
  }
  return absl::OkStatus();
}

absl::Status HearNode(const CatalogReader& reader, const Uuid& id, absl::Time now,
                      CatalogChange& change) {
  absl::StatusOr<v1::TreeNode> node = reader.GetRow<v1::TreeNode>(Family::kNodes, id.view());
  if (absl::IsNotFound(node.status())) return absl::OkStatus();
  RETURN_IF_ERROR(node.status());
  *node->mutable_heard_at() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
  v1::NodeStatus& status = *node->mutable_status();
  if (status.files_missing() == 0) *status.mutable_last_success() = node->heard_at();
  change.PutRow(Family::kNodes, id.view(), *node);
  return absl::OkStatus();
}

absl::Status CheckNotLate(const CatalogReader& reader, const v1::ReportRequest& request) {
  if (request.nodes().empty()) return absl::OkStatus();
  const absl::StatusOr<v1::TreeNode> known =
      reader.GetRow<v1::TreeNode>(Family::kNodes, request.nodes(0).node_id());
  if (!known.ok()) return absl::OkStatus();
  const absl::Duration late = ReportedAt(known->status()) - ReportedAt(request.nodes(0));
  if (late <= absl::ZeroDuration() || late > kLateMax) return absl::OkStatus();
  return MakeError(v1::REASON_STALE_VERSION, "a later report of this node was here before");
}

absl::Status ForgetFormerHistories(const CatalogReader& reader, const v1::ReportRequest& request,
                                   CatalogChange& change) {
  RETURN_IF_ERROR(ForgetFormerHistoryHere(reader, change));
  std::set<std::string> anew;
  for (const v1::NodeStatus& said : request.nodes()) {
    const absl::StatusOr<v1::TreeNode> known =
        reader.GetRow<v1::TreeNode>(Family::kNodes, said.node_id());
    if (!known.ok()) continue;
    const bool same = known->status().epoch().epoch_id() == said.epoch().epoch_id();
    const bool caller = &said == &request.nodes(0);
    if (!same && (caller || IsNews(said, known, absl::InfinitePast()))) {
      anew.insert(said.node_id());
    }
  }
  if (anew.empty()) return absl::OkStatus();
  // What such a node was to pass on of those below it may be lost too, and whom it knew.
  ASSIGN_OR_RETURN(const auto nodes,
                   reader.ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  for (size_t before = 0; before != anew.size();) {
    before = anew.size();
    for (const auto& [key, node] : nodes) {
      if (anew.contains(node.status().upstream_id())) anew.insert(key);
    }
    for (const v1::NodeStatus& said : request.nodes()) {
      if (anew.contains(said.upstream_id())) anew.insert(said.node_id());
    }
  }
  for (const std::string& bytes : anew) {
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(bytes));
    RETURN_IF_ERROR(ForgetAcknowledgementsOf(reader, id, change).status());
  }
  return absl::OkStatus();
}

}  // namespace sluice
