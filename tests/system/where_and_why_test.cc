// Where an update is, and why it is not visible, as the root tells it of nodes two levels below.
#include <sys/stat.h>
#include <unistd.h>

#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

class WhereAndWhyTest : public TreeTest {
 protected:
  static std::string IdOf(const NodeProcess& node, const std::string& text) {
    const auto updates = node.Get<v1::ListUpdatesResponse>({"update", "list", text});
    EXPECT_EQ(updates.updates_size(), 1) << text;
    return updates.updates_size() == 1 ? updates.updates(0).update_id() : "";
  }

  static v1::UpdatePlace PlaceOf(const NodeProcess& root, const std::string& id,
                                 const std::string& node) {
    const auto where = root.Get<v1::WhereResponse>({"update", "where", id});
    for (const v1::UpdatePlace& place : where.places()) {
      if (place.node_name() == node) return place;
    }
    return v1::UpdatePlace();
  }

  static v1::ExplainResponse Explain(const NodeProcess& root, const std::string& id,
                                     const std::string& node) {
    return root.Get<v1::ExplainResponse>({"update", "explain", id, "--node", node});
  }

  // The step of the last node that did not hold first.
  static v1::ExplainStep Stopped(const v1::ExplainResponse& why) {
    for (const v1::ExplainStep& step : why.steps()) {
      if (step.node_id() == why.node_id() && !step.passed() && !step.unknown()) return step;
    }
    return v1::ExplainStep();
  }
};

TEST_F(WhereAndWhyTest, TheRootFollowsAnUpdateToTheLeafAndSaysWhyNot) {
  WriteUpdate("agent", 5000);
  WriteFile(source_dir() + "/tool.yaml",
            "name: tool\ntexts: [{language: en, title: tool}]\nproducts: [Fabrikam/Tool]\n"
            "classification: Updates\n");
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& a = AddFollower("a", root.node_socket());
  a.Start();
  NodeProcess& b = AddFollower("b", a.node_socket());
  b.Start();
  const std::string agent = IdOf(root, "agent");

  // Nobody decided: the metadata is known to be there by the root's seq alone.
  EXPECT_TRUE(Eventually(b, [&] {
    const v1::UpdatePlace place = PlaceOf(root, agent, "b");
    return place.metadata().state() == v1::STAGE_STATE_REACHED && !place.metadata().has_since();
  })) << PlaceOf(root, agent, "b").DebugString();
  EXPECT_EQ(Stopped(Explain(root, agent, "b")).rule(), v1::VISIBILITY_RULE_APPROVED);

  ApproveAll(root, "agent");
  EXPECT_TRUE(Eventually(b, [&] {
    return PlaceOf(root, agent, "b").visible().state() == v1::STAGE_STATE_REACHED;
  })) << PlaceOf(root, agent, "b").DebugString();
  const v1::UpdatePlace there = PlaceOf(root, agent, "b");
  EXPECT_EQ(there.depth(), 2);
  EXPECT_TRUE(there.metadata().has_since() && there.decision().has_since() &&
              there.content().has_since() && there.visible().has_since())
      << there.DebugString();
  EXPECT_TRUE(Explain(root, agent, "b").visible());

  EXPECT_EQ(root.Cli({"decline", agent, "--comment", "too risky"}).exit_code, 0);
  EXPECT_TRUE(
      Eventually(b, [&] { return PlaceOf(root, agent, "b").waits_for() == "ITEM_DECLINED"; }));
  EXPECT_EQ(Stopped(Explain(root, agent, "b")).rule(), v1::VISIBILITY_RULE_NOT_DECLINED);

  EXPECT_EQ(b.Cli({"subscription", "set", "--product", "Fabrikam"}).exit_code, 0);
  EXPECT_TRUE(Eventually(b, [&] {
    return Stopped(Explain(root, agent, "b")).rule() == v1::VISIBILITY_RULE_SELECTED;
  })) << Explain(root, agent, "b").DebugString();
  EXPECT_EQ(PlaceOf(root, agent, "b").metadata().state(), v1::STAGE_STATE_NOT_WANTED);
}

TEST_F(WhereAndWhyTest, TheRootSaysThatTheLeafMayNotWriteItsFiles) {
  WriteUpdate("agent", 5000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& a = AddFollower("a", root.node_socket());
  a.Start();
  // Root could write all the same.
  std::vector<std::string> wrapper;
  if (geteuid() == 0) wrapper = {"setpriv", "--bounding-set=-dac_override,-dac_read_search"};
  NodeProcess& b =
      Add({.name = "b", .role_yaml = FollowerYaml(a.node_socket()), .wrapper = wrapper});
  b.Start();
  ASSERT_TRUE(Eventually(b, [&] { return UpdateCount(b) == 1; }));
  ASSERT_EQ(chmod((b.content_dir() + "/staging").c_str(), 0500), 0);

  ApproveAll(root, "agent");
  const std::string agent = IdOf(root, "agent");
  EXPECT_TRUE(Eventually(b, [&] {
    const v1::UpdatePlace place = PlaceOf(root, agent, "b");
    return place.files_missing() == 1 && place.waits_for() == "CONTENT_DIR_PERMISSION";
  })) << PlaceOf(root, agent, "b").DebugString();
  const v1::ExplainResponse why = Explain(root, agent, "b");
  EXPECT_EQ(Stopped(why).rule(), v1::VISIBILITY_RULE_CONTENT) << why.DebugString();
  EXPECT_EQ(Stopped(why).reason(), "CONTENT_DIR_PERMISSION");
  EXPECT_TRUE(Eventually(root, [&] {
    return PlaceOf(root, agent, "a").visible().state() == v1::STAGE_STATE_REACHED;
  })) << PlaceOf(root, agent, "a").DebugString();
  EXPECT_NE(why.verdict().find("b does not offer it: 1 file is not here"), std::string::npos)
      << why.verdict();
  EXPECT_NE(why.verdict().find("may not read or write its content directory"), std::string::npos)
      << why.verdict();
  ASSERT_EQ(chmod((b.content_dir() + "/staging").c_str(), 0700), 0);
}

}  // namespace
}  // namespace sluice
