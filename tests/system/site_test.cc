// Nodes that hold back, and nodes that decide themselves.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/site_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class SiteTest : public TreeTest {
 protected:
  NodeProcess& AddAutonomous(const std::string& name, const std::string& target) {
    return Add({.name = name, .role_yaml = AutonomousYaml(target)});
  }
  static std::string AutonomousYaml(const std::string& target) {
    return absl::StrCat(FollowerYaml(target), "mode: autonomous\n");
  }

  static v1::UpdateSummary Find(const NodeProcess& node, const std::string& title) {
    for (const v1::UpdateSummary& update : Updates(node)) {
      if (update.title() == title) return update;
    }
    return v1::UpdateSummary();
  }
  static std::function<bool()> IsIn(const NodeProcess& node, const std::string& title,
                                    v1::UpdateState state) {
    return [&node, title, state] { return Find(node, title).state() == state; };
  }
  static std::function<bool()> IsReady(const NodeProcess& node, const std::string& title) {
    return [&node, title] {
      const v1::UpdateSummary update = Find(node, title);
      return update.state() == v1::UPDATE_STATE_APPROVED &&
             update.content() == v1::CONTENT_STATE_READY;
    };
  }
  static v1::NodeStatus StatusOf(const NodeProcess& node) {
    return node.Get<v1::GetNodeResponse>({"node"}).node().status();
  }

  static void Expect(const NodeProcess& node, const std::vector<std::string>& args) {
    const Finished finished = node.Cli(args);
    EXPECT_EQ(finished.exit_code, 0) << args[0] << ": " << finished.out << finished.err;
  }
  static void ExpectParity(const NodeProcess& node) {
    const Parity parity = CheckParity(node);
    EXPECT_EQ(parity.exit_code, 0) << parity.Text();
  }
};

TEST_F(SiteTest, AnAutonomousNodeDecidesForThoseBelowIt) {
  WriteUpdate("agent", 5000);
  WriteUpdate("viewer", 5000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& branch = AddAutonomous("branch", root.node_socket());
  branch.Start();
  NodeProcess& shop = AddFollower("shop", branch.node_socket());
  shop.Start();
  ASSERT_TRUE(Eventually(shop, [&] { return UpdateCount(shop) == 2; }));

  // Each decides about what the other does not.
  ApproveAll(root, "viewer");
  Expect(branch, {"group", "create", "Tills"});
  Expect(branch, {"approve", "agent edition 1", "--group", "Tills"});
  EXPECT_TRUE(Eventually(shop, IsReady(shop, "agent edition 1"))) << shop.log();
  EXPECT_TRUE(IsReady(branch, "agent edition 1")());
  EXPECT_EQ(Find(shop, "viewer edition 1").state(), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_EQ(Find(branch, "viewer edition 1").state(), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_EQ(Find(root, "agent edition 1").state(), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_THAT(shop.Cli({"decline", "viewer edition 1"}).err, HasSubstr("NOT_ORIGIN"));
  ExpectParity(branch);
  ExpectParity(shop);
  EXPECT_TRUE(Eventually(shop, [&] {
    const auto tree = root.Get<v1::ListNodesResponse>({"tree"});
    return tree.nodes_size() == 3 && tree.nodes(1).status().mode() == v1::NODE_MODE_AUTONOMOUS &&
           tree.nodes(2).status().ready_updates() == 1;
  }));

  branch.Stop();
  branch.set_role_yaml(FollowerYaml(root.node_socket()));
  EXPECT_THAT(branch.StartAndEnd().err, HasSubstr("say mode: autonomous"));
  branch.set_role_yaml(AutonomousYaml(root.node_socket()));
  branch.Start();
  EXPECT_TRUE(IsReady(branch, "agent edition 1")());
}

TEST_F(SiteTest, NarrowingKeepsDecisionsAndWideningRevivesThem) {
  WriteUpdate("agent", 5000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& branch = AddAutonomous("branch", root.node_socket());
  branch.Start();
  NodeProcess& shop = AddFollower("shop", branch.node_socket());
  shop.Start();
  ASSERT_TRUE(Eventually(branch, [&] { return UpdateCount(branch) == 1; }));
  ApproveAll(branch, "agent");
  ASSERT_TRUE(Eventually(shop, IsReady(shop, "agent edition 1")));

  Expect(branch, {"subscription", "set", "--product", "Fabrikam"});
  ASSERT_TRUE(Eventually(shop, [&] { return UpdateCount(shop) == 0; }));
  const auto inactive =
      branch.Get<v1::ListUpdatesResponse>({"update", "list", "--state", "inactive"});
  ASSERT_EQ(inactive.updates_size(), 1);
  EXPECT_TRUE(Eventually(branch, [&] { return StatusOf(branch).inactive_updates() == 1; }));
  ExpectParity(branch);
  // The decision came along, and what it is about did not.
  const Parity inactive_below = CheckParity(shop);
  ASSERT_EQ(inactive_below.findings.size(), 1u) << inactive_below.Text();
  EXPECT_EQ(inactive_below.findings[0].finding_class(), v1::FINDING_CLASS_APPROVAL_INACTIVE);

  Expect(branch, {"subscription", "set", "--all-products"});
  EXPECT_TRUE(Eventually(shop, IsReady(shop, "agent edition 1")));
  EXPECT_TRUE(IsReady(branch, "agent edition 1")());
  EXPECT_TRUE(Eventually(branch, [&] { return StatusOf(branch).inactive_updates() == 0; }));
}

TEST_F(SiteTest, WhatANodeHoldsBackIsHiddenBelowItAndNotAbove) {
  WriteUpdate("agent", 5000);
  WriteUpdate("viewer", 5000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& region = AddFollower("region", root.node_socket());
  region.Start();
  NodeProcess& shop = AddFollower("shop", region.node_socket());
  shop.Start();
  ASSERT_TRUE(Eventually(shop, [&] { return UpdateCount(shop) == 2; }));
  Expect(region, {"site", "suppress", "agent edition 1", "--dry-run"});
  EXPECT_EQ(region.Get<v1::ListNoticesResponse>({"site", "list"}).notices_size(), 0);
  Expect(region, {"site", "suppress", "agent edition 1", "--comment", "breaks the tills"});
  Expect(region, {"site", "hold", "viewer edition 1", "--for", "8s"});
  const auto held_back = [&shop] {
    return shop.Get<v1::ListNoticesResponse>({"site", "list"}).notices_size() == 2;
  };
  ASSERT_TRUE(Eventually(shop, held_back));

  ApproveAll(root, "edition");
  EXPECT_TRUE(Eventually(root, IsReady(root, "agent edition 1")));
  ASSERT_TRUE(Eventually(shop, IsIn(shop, "agent edition 1", v1::UPDATE_STATE_HELD_BACK)));
  EXPECT_EQ(Find(shop, "agent edition 1").held_back_by(), "region");
  EXPECT_EQ(Find(shop, "agent edition 1").content(), v1::CONTENT_STATE_NOT_WANTED);
  EXPECT_EQ(Find(region, "agent edition 1").held_back_by(), "this node");
  ExpectParity(region);
  ExpectParity(shop);

  // The hold ends by itself, and the node says so up the tree.
  EXPECT_TRUE(Eventually(shop, IsReady(shop, "viewer edition 1")));
  EXPECT_TRUE(Eventually(shop, [&] {
    const auto tree = root.Get<v1::ListNodesResponse>({"tree"});
    return tree.nodes_size() == 3 && tree.nodes(2).status().ready_updates() == 1;
  }));

  Expect(region, {"site", "release", "agent edition 1"});
  EXPECT_TRUE(Eventually(shop, IsReady(shop, "agent edition 1")));
  ExpectParity(region);
  ExpectParity(shop);
}

}  // namespace
}  // namespace sluice
