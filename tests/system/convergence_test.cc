// What the product is for: what was decided at the root arrives at the leaf, with the files.
#include <filesystem>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

class ConvergenceTest : public TreeTest {
 protected:
  static std::string IdOf(const NodeProcess& node, const std::string& text) {
    const auto updates = node.Get<v1::ListUpdatesResponse>({"update", "list", text});
    EXPECT_EQ(updates.updates_size(), 1) << text;
    return updates.updates_size() == 1 ? updates.updates(0).update_id() : "";
  }

  static int64_t CounterOf(const NodeProcess& node, const std::string& name) {
    const auto counters =
        node.Call<v1::GetCountersResponse>("sluice.v1.MaintenanceService/GetCounters");
    for (const v1::Counter& counter : counters.counters()) {
      if (counter.name() == name) return counter.value();
    }
    ADD_FAILURE() << "no counter " << name;
    return -1;
  }

  // The decisions about an update, as text that is the same where they are the same.
  static std::string DecisionsOf(const NodeProcess& node, const std::string& id) {
    std::string text;
    const auto update = node.Get<v1::GetUpdateResponse>({"update", "get", id});
    for (const v1::DecisionStatus& status : update.decisions()) {
      absl::StrAppend(&text, status.key(), " ", status.decision().ShortDebugString(), "\n");
    }
    return text;
  }

  static void ExpectParity(const NodeProcess& node) {
    const Parity parity = CheckParity(node);
    EXPECT_EQ(parity.exit_code, 0) << parity.Text();
    EXPECT_TRUE(parity.summary.in_parity()) << parity.Text();
  }
};

TEST_F(ConvergenceTest, RootMiddleAndLeafInItsOwnNetworkAgree) {
  WriteUpdates("agent", 20, 5000);
  WriteUpdate("viewer", 1 << 20);
  WriteUpdate("unwanted", 5000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  NodeProcess* leaf = AddIsolatedFollower("site", middle.node_socket());
  if (leaf == nullptr) GTEST_SKIP() << "unshare is not permitted here";
  leaf->Start();
  EXPECT_NE(std::filesystem::read_symlink(absl::StrCat("/proc/", leaf->pid(), "/ns/net")),
            std::filesystem::read_symlink("/proc/self/ns/net"));

  ApproveAll(root, "agent");
  EXPECT_EQ(root.Cli({"group", "create", "Pilot"}).exit_code, 0);
  EXPECT_EQ(
      root.Cli({"approve", "viewer edition 1", "--group", "Pilot", "--deadline", "7d"}).exit_code,
      0);
  EXPECT_EQ(root.Cli({"decline", "unwanted edition 1"}).exit_code, 0);

  ASSERT_TRUE(Eventually(*leaf, [&] { return ReadyUpdates(*leaf) == 21; }));
  EXPECT_EQ(UpdateCount(*leaf), 22);
  for (const std::string text : {"agent-7 edition", "viewer edition", "unwanted edition"}) {
    const std::string id = IdOf(root, text);
    EXPECT_TRUE(Eventually(*leaf, [&] { return DecisionsOf(*leaf, id) == DecisionsOf(root, id); }))
        << DecisionsOf(*leaf, id) << " instead of " << DecisionsOf(root, id);
    EXPECT_NE(DecisionsOf(root, id), "");
  }
  ExpectParity(middle);
  ExpectParity(*leaf);
  EXPECT_EQ(root.Cli({"parity", "check"}).exit_code, 3) << "a root has nothing to compare with";
}

TEST_F(ConvergenceTest, TheRootSeesTheWholeTreeWithoutLag) {
  WriteUpdates("agent", 5, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  NodeProcess& leaf = AddFollower("site", middle.node_socket());
  leaf.Start();

  const auto tree = [&] { return root.Get<v1::ListNodesResponse>({"tree"}); };
  const auto is_complete = [&] {
    const v1::ListNodesResponse nodes = tree();
    if (nodes.nodes_size() != 3) return false;
    for (const v1::TreeNode& node : nodes.nodes()) {
      if (node.lag() != 0 || node.status().updates() != 5) return false;
    }
    return nodes.nodes(2).depth() == 2 && nodes.nodes(2).status().name() == "site";
  };
  EXPECT_TRUE(Eventually(leaf, is_complete)) << tree().DebugString();
}

TEST_F(ConvergenceTest, AnApprovedFileOfOneMegabyteReachesTheLeafAtOnce) {
  WriteUpdate("agent", 1 << 20);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  NodeProcess& leaf = AddFollower("site", middle.node_socket());
  leaf.Start();
  ASSERT_TRUE(Eventually(leaf, [&] { return UpdateCount(leaf) == 1; }));

  const absl::Time approved_at = absl::Now();
  ApproveAll(root, "agent");
  ASSERT_TRUE(Eventually(
      leaf, [&] { return ReadyUpdates(leaf) == 1; }, absl::Seconds(30)));
  const absl::Duration passed = absl::Now() - approved_at;
  RecordProperty("approve_to_leaf_milliseconds", static_cast<int>(passed / absl::Milliseconds(1)));
  std::cout << "from approve to present and verified two levels below: " << passed << "\n";
}

TEST_F(ConvergenceTest, TheMiddlePassesRecordsOnAsTheyAre) {
  WriteUpdates("agent", 30, 100);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  const auto has_all = [](const NodeProcess& node) {
    return node.Get<v1::GetNodeResponse>({"node"}).node().status().updates() == 30;
  };
  ASSERT_TRUE(Eventually(middle, [&] { return has_all(middle); }));
  int64_t received = 0;
  for (const v1::Session& session : Sessions(middle)) {
    const v1::SyncCounts& counts = session.counts();
    received += counts.categories() + counts.revisions() + counts.expiries() + counts.groups();
  }
  const int64_t decompressed = CounterOf(middle, "payloads_decompressed_total");
  EXPECT_GE(decompressed, 30) << "the descriptions are long enough to be stored compressed";
  EXPECT_LE(decompressed, received) << "no body is opened but once, to verify it";
  EXPECT_EQ(CounterOf(middle, "payloads_serialised_total"), 0);

  NodeProcess& leaf = AddFollower("site", middle.node_socket());
  leaf.Start();
  ASSERT_TRUE(Eventually(leaf, [&] { return has_all(leaf); }));
  EXPECT_EQ(CounterOf(middle, "payloads_decompressed_total"), decompressed);
  EXPECT_EQ(CounterOf(middle, "payloads_serialised_total"), 0);
}

TEST_F(ConvergenceTest, ANodeTakesWhatItAndAllAboveItWant) {
  WriteUpdates("agent", 4, 100);
  WriteFile(source_dir() + "/tool.yaml",
            "name: tool\ntexts: [{language: en, title: tool}]\nproducts: [Contoso/Tool]\n"
            "classification: Updates\n");
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  NodeProcess& leaf = AddFollower("site", middle.node_socket());
  leaf.Start();
  const auto has = [](const NodeProcess& node, int count) {
    return [&node, count] { return UpdateCount(node) == count; };
  };
  ASSERT_TRUE(Eventually(leaf, has(leaf, 5)));

  EXPECT_EQ(middle.Cli({"subscription", "set", "--product", "Contoso/Agent"}).exit_code, 0);
  EXPECT_TRUE(Eventually(middle, has(middle, 4)));
  EXPECT_TRUE(Eventually(leaf, has(leaf, 4)));
  EXPECT_EQ(leaf.Cli({"subscription", "set", "--classification", "Updates"}).exit_code, 0);
  EXPECT_TRUE(Eventually(leaf, has(leaf, 0)));
  EXPECT_EQ(middle.Cli({"subscription", "set", "--all-products"}).exit_code, 0);
  EXPECT_TRUE(Eventually(middle, has(middle, 5)));
  EXPECT_TRUE(Eventually(leaf, has(leaf, 1)));
  ExpectParity(middle);
  ExpectParity(leaf);
}

TEST_F(ConvergenceTest, APublishedUpdateArrivesWithTheFilesOfTheLanguagesAskedFor) {
  NodeProcess& root = AddRoot("hq");
  root.Start();
  NodeProcess& leaf = AddFollower("site", root.node_socket());
  leaf.Start();
  EXPECT_EQ(leaf.Cli({"subscription", "set", "--language", "en"}).exit_code, 0);
  const std::string folder = directory() + "/publish";
  for (const std::string name : {"tool.bin", "help_en.bin", "help_de.bin"}) {
    WriteFile(folder + "/" + name, name + " has these bytes");
  }
  WriteFile(folder + "/tool.yaml",
            "name: tool\ntexts: [{language: en, title: Tool 1}]\nproducts: [Contoso/Tool]\n"
            "classification: Updates\nfiles:\n  - path: tool.bin\n"
            "  - {path: help_en.bin, languages: [en]}\n  - {path: help_de.bin, languages: [de]}\n");

  const Finished tried = root.Cli({"update", "publish", folder + "/tool.yaml", "--dry-run"});
  EXPECT_EQ(tried.exit_code, 0) << tried.err;
  EXPECT_EQ(UpdateCount(root), 0) << "a dry run published";
  const Finished published = root.Cli({"update", "publish", folder + "/tool.yaml"});
  EXPECT_EQ(published.exit_code, 0) << published.err;
  EXPECT_EQ(root.Cli({"approve", "Tool 1", "--dry-run"}).exit_code, 0);
  EXPECT_EQ(DecisionsOf(root, IdOf(root, "Tool 1")), "") << "a dry run decided";
  EXPECT_EQ(root.Cli({"approve", "Tool 1"}).exit_code, 0);

  ASSERT_TRUE(Eventually(leaf, [&] { return ReadyUpdates(leaf) == 1; }));
  const auto update = leaf.Get<v1::GetUpdateResponse>({"update", "get", "Tool 1"});
  ASSERT_EQ(update.revisions_size(), 1);
  ASSERT_EQ(update.revisions(0).files_size(), 3);
  for (const v1::FileStatus& file : update.revisions(0).files()) {
    EXPECT_EQ(file.state() == v1::CONTENT_STATE_READY, file.name() != "help_de.bin")
        << file.DebugString();
  }
  ExpectParity(leaf);
}

}  // namespace
}  // namespace sluice
