#include "downstream/node_report.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/content_wants.h"
#include "storage/parity_rows.h"
#include "storage/root_cursor.h"
#include "storage/selection.h"
#include "storage/session_rows.h"

namespace sluice {
namespace {

constexpr int kNodesMax = 10'000;
constexpr int kLevelsMax = 64;
// About 500 bytes each.
constexpr int64_t kFindingsPerReportMax = 2000;

// What the catalog's shards say about it.
absl::Status CountRecords(const CatalogReader& reader, v1::NodeStatus& status) {
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  for (const ShardInfo& shard : shards) {
    const auto count = static_cast<int64_t>(shard.fingerprint.count());
    const bool updates =
        shard.definition.stream() == v1::STREAM_KIND_CATALOG && !shard.definition.always();
    if (updates) status.set_updates(status.updates() + count);
    if (shard.definition.kept_by() == status.node_id()) {
      status.set_missing_upstream(status.missing_upstream() + count);
    }
  }
  return absl::OkStatus();
}

// A report is one message, and a tree in disorder has many findings.
void ThinOutFindings(v1::ReportRequest& request) {
  const auto with_findings =
      std::count_if(request.nodes().begin(), request.nodes().end(),
                    [](const v1::NodeStatus& node) { return node.parity().findings_size() > 0; });
  if (with_findings == 0) return;
  const auto max = static_cast<int>(kFindingsPerReportMax / with_findings);
  for (v1::NodeStatus& node : *request.mutable_nodes()) {
    if (node.parity().findings_size() <= max) continue;
    auto& findings = *node.mutable_parity()->mutable_findings();
    findings.DeleteSubrange(max, findings.size() - max);
  }
}

}  // namespace

absl::StatusOr<v1::ReportRequest> MakeReport(const CatalogReader& reader, const NodeFacts& facts,
                                             const ContentWants& wants, absl::Time now) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  v1::ReportRequest request;
  v1::NodeStatus& status = *request.add_nodes();
  status.set_node_id(state.node_id());
  status.set_name(facts.name);
  status.set_mode(facts.mode);
  status.set_release(facts.release);
  status.set_upstream_id(above.node_id());
  *status.mutable_epoch() = state.epoch();
  status.set_head_seq(state.head_seq());
  if (const absl::StatusOr<Uuid> upstream = Uuid::FromBytes(above.node_id()); upstream.ok()) {
    ASSIGN_OR_RETURN(const std::optional<v1::Cursor> cursor, reader.GetCursor(*upstream));
    if (cursor.has_value()) *status.mutable_cursor() = *cursor;
  }
  ASSIGN_OR_RETURN(*status.mutable_subscription(), ReadSubscription(reader));
  ASSIGN_OR_RETURN(const std::optional<v1::Cursor> root, ReadRootCursor(reader));
  if (root.has_value()) *status.mutable_root_cursor() = *root;
  RETURN_IF_ERROR(CountRecords(reader, status));
  ASSIGN_OR_RETURN(const auto last_success, LastSuccess(reader));
  if (last_success.has_value()) *status.mutable_last_success() = *last_success;
  status.set_approved_updates(wants.approved_updates());
  status.set_ready_updates(wants.ready_updates());
  status.set_inactive_updates(wants.inactive_updates());
  status.set_files_wanted(wants.wanted());
  status.set_files_missing(wants.missing());
  status.set_files_failed(wants.failed());
  ASSIGN_OR_RETURN(v1::ParityState parity, ReadParityState(reader));
  if (parity.has_attempted_at()) *status.mutable_parity() = std::move(parity);
  *status.mutable_reported_at() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));

  ASSIGN_OR_RETURN(const auto below,
                   reader.ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  for (const auto& [key, node] : below) *request.add_nodes() = node.status();
  ThinOutFindings(request);
  return request;
}

absl::StatusOr<int> LevelsBelow(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const auto below,
                   reader.ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  std::map<std::string, std::string> parent_of;
  for (const auto& [key, node] : below) {
    parent_of[node.status().node_id()] = node.status().upstream_id();
  }
  int levels = 1;
  for (const auto& [id, parent] : parent_of) {
    int depth = 1;
    std::string at = id;
    while (at != state.node_id() && parent_of.contains(at) && depth < kLevelsMax) {
      at = parent_of[at];
      ++depth;
    }
    if (at == state.node_id()) levels = std::max(levels, depth);
  }
  return levels;
}

}  // namespace sluice
