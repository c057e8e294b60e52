// A node that decides itself, and one that is held back from above, go from one upstream to another
// with real daemons.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "sluice/v1/site_service.pb.h"
#include "sluice/v1/upstream_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

class AutonomousUpstreamsTest : public TreeTest {
 protected:
  static v1::UpdateState StateOf(const NodeProcess& node, const std::string& title) {
    for (const v1::UpdateSummary& update : Updates(node)) {
      if (update.title() == title) return update.state();
    }
    return v1::UPDATE_STATE_UNSPECIFIED;
  }
  static bool Follows(const NodeProcess& node, const NodeProcess& upstream) {
    const auto list = node.Get<v1::ListUpstreamsResponse>({"upstream", "list"});
    for (const v1::UpstreamStatus& each : list.upstreams()) {
      if (each.current()) return each.target() == upstream.node_socket();
    }
    return false;
  }
  static int64_t RecordsKept(const NodeProcess& node) {
    return node.Get<v1::ListUpstreamsResponse>({"upstream", "list"}).records_kept();
  }
  static int Notices(const NodeProcess& node) {
    return node.Get<v1::ListNoticesResponse>({"site", "list"}).notices_size();
  }
};

TEST_F(AutonomousUpstreamsTest, ItsDecisionsStayAndNoticesGoWithTheNodeThatMadeThem) {
  WriteUpdate("agent", 1000);
  WriteUpdate("viewer", 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  ApproveAll(root, "agent");
  NodeProcess& first = AddFollower("first", root.node_socket());
  first.Start();
  NodeProcess& second = AddFollower("second", root.node_socket());
  second.Start();
  NodeProcess& branch = Add(
      {.name = "branch",
       .role_yaml = absl::StrCat(
           FollowerYaml(first.node_socket(), "  schedule: {times_a_day: 0, retry_interval: 2s}\n"),
           "fallback_upstreams: [{target: \"", second.node_socket(), "\"}]\nmode: autonomous\n")});
  branch.Start();
  ASSERT_TRUE(Eventually(branch, [&] { return UpdateCount(branch) == 2; }));
  ASSERT_EQ(branch.Cli({"decline", "agent edition 1"}).exit_code, 0);
  ASSERT_TRUE(Eventually(first, [&] { return UpdateCount(first) == 2; }));
  ASSERT_EQ(first.Cli({"site", "suppress", "viewer edition 1"}).exit_code, 0);
  ASSERT_TRUE(Eventually(branch, [&] { return Notices(branch) == 1; }));

  const auto preview =
      branch.Get<v1::SetUpstreamsResponse>({"upstream", "set", second.node_socket(), "--dry-run"});
  EXPECT_EQ(preview.preview().decisions_to_keep(), 0) << preview.DebugString();
  EXPECT_EQ(preview.preview().records_to_fetch(), 0) << preview.DebugString();
  EXPECT_EQ(preview.preview().records_to_keep(), 0) << preview.DebugString();

  first.Kill();
  ASSERT_TRUE(Eventually(branch, [&] { return Follows(branch, second) && Notices(branch) == 0; }))
      << "what a node held back outlives its place above";
  EXPECT_EQ(StateOf(branch, "agent edition 1"), v1::UPDATE_STATE_DECLINED);
  EXPECT_EQ(StateOf(second, "agent edition 1"), v1::UPDATE_STATE_APPROVED);
  EXPECT_EQ(RecordsKept(branch), 0);
  EXPECT_TRUE(Eventually(branch, [&] { return CheckParity(branch).exit_code == 0; }));

  first.Start();
  EXPECT_TRUE(Eventually(branch, [&] { return Follows(branch, first) && Notices(branch) == 1; }));
  EXPECT_EQ(StateOf(branch, "agent edition 1"), v1::UPDATE_STATE_DECLINED);
  EXPECT_EQ(RecordsKept(branch), 0);
  EXPECT_TRUE(Eventually(branch, [&] { return CheckParity(branch).exit_code == 0; }))
      << CheckParity(branch).Text();
}

}  // namespace
}  // namespace sluice
