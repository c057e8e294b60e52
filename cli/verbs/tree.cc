// `tree` and `node`: who is in the tree, and who answers.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kListNodes = "sluice.v1.TreeService/ListNodes";
constexpr absl::string_view kGetNode = "sluice.v1.TreeService/GetNode";
constexpr int kDepthMax = 64;

std::string Age(const Invocation& invocation, bool is_set,
                const google::protobuf::Timestamp& timestamp) {
  if (!is_set) return "never";
  return absl::StrCat(HumanDuration(invocation.clock.Now() - ToTime(timestamp)), " ago");
}

std::string Health(const v1::NodeStatus& status) {
  if (status.conditions().empty()) return "ok";
  return absl::StrJoin(status.conditions(), ",");
}

std::string Lag(int64_t lag) { return lag < 0 ? "?" : absl::StrCat(lag); }

void PrintTree(const Invocation& invocation, const v1::ListNodesResponse& response) {
  Table table({"NODE", "MODE", "HEALTH", ">LAG", ">UPDATES", ">APPROVED", ">READY",
               ">FILES MISSING", "LAST SYNC", "HEARD"});
  for (const v1::TreeNode& node : response.nodes()) {
    const v1::NodeStatus& status = node.status();
    const bool is_root = status.mode() == v1::NODE_MODE_ROOT;
    const int depth = std::clamp(node.depth(), 0, kDepthMax);
    table.AddRow(
        {absl::StrCat(std::string(static_cast<size_t>(depth) * 2, ' '),
                      status.name().empty() ? node.node_id() : status.name()),
         WordOf(status.mode()), Health(status), is_root ? "-" : Lag(node.lag()),
         absl::StrCat(status.updates()), absl::StrCat(status.approved_updates()),
         absl::StrCat(status.ready_updates()), absl::StrCat(status.files_missing()),
         Age(invocation, status.has_last_success(), status.last_success()),
         node.depth() == 0 ? "here" : Age(invocation, node.has_heard_at(), node.heard_at())});
  }
  table.Print(invocation.out);
}

absl::StatusOr<int> RunTree(Invocation& invocation) {
  ASSIGN_OR_RETURN(const auto response, ListPages<v1::ListNodesResponse>(
                                            invocation.caller, kListNodes, v1::ListNodesRequest()));
  invocation.Print(
      response, [&] { PrintTree(invocation, response); },
      [&] {
        for (const v1::TreeNode& node : response.nodes()) invocation.out << node.node_id() << "\n";
      });
  return kExitOk;
}

void PrintNode(const Invocation& invocation, const v1::GetNodeResponse& response) {
  const v1::TreeNode& node = response.node();
  const v1::NodeStatus& status = node.status();
  Table table({"FIELD", "VALUE"});
  table.AddRow({"name", status.name()});
  table.AddRow({"node id", node.node_id()});
  table.AddRow({"mode", WordOf(status.mode())});
  table.AddRow({"release", status.release()});
  table.AddRow(
      {"upstream", response.upstream_target().empty()
                       ? "none"
                       : absl::StrCat(response.upstream_target(), " (", node.upstream_id(), ")")});
  for (const std::string& listener : response.listeners()) table.AddRow({"listener", listener});
  table.AddRow({"health", Health(status)});
  table.AddRow(
      {"head", absl::StrCat("seq ", status.head_seq(), ", epoch ", status.epoch().counter())});
  table.AddRow({"lag", Lag(node.lag())});
  table.AddRow(
      {"updates", absl::StrCat(status.updates(), ", approved ", status.approved_updates(),
                               ", ready ", status.ready_updates(),
                               status.inactive_updates() == 0
                                   ? ""
                                   : absl::StrCat(", inactive ", status.inactive_updates()))});
  table.AddRow({"files", absl::StrCat("wanted ", status.files_wanted(), ", missing ",
                                      status.files_missing(), ", failed ", status.files_failed())});
  table.AddRow({"content", HumanBytes(status.content_bytes())});
  table.AddRow({"kept, missing upstream", absl::StrCat(status.missing_upstream())});
  table.AddRow({"last sync", Age(invocation, status.has_last_success(), status.last_success())});
  table.Print(invocation.out);
}

absl::StatusOr<int> RunNode(Invocation& invocation) {
  v1::GetNodeResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kGetNode, v1::GetNodeRequest(), response));
  invocation.Print(
      response, [&] { PrintNode(invocation, response); },
      [&] { invocation.out << response.node().node_id() << "\n"; });
  return kExitOk;
}

}  // namespace

Verb TreeVerb() {
  return {.name = "tree",
          .positionals = "",
          .summary = "Show this node and all nodes below it, with lag and health.",
          .method = kListNodes,
          .flags = {},
          .run = RunTree};
}

Verb NodeVerb() {
  return {.name = "node",
          .positionals = "",
          .summary = "Show the node that answers.",
          .method = kGetNode,
          .flags = {},
          .run = RunNode};
}

}  // namespace sluice
