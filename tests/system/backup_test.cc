// Backups, restored nodes and promoted ones, with real daemons and what follows them.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class BackupTest : public TreeTest {
 protected:
  NodeProcess& AddRootWithBackups() {
    NodeProcess& root = AddRoot("hq");
    root.set_node_yaml(absl::StrCat("  backup_dir: ", directory(), "/backups\n"));
    root.Start();
    return root;
  }

  static std::vector<std::string> Groups(const NodeProcess& node) {
    const auto response = node.Get<v1::ListGroupsResponse>({"group", "list"});
    std::vector<std::string> names;
    for (const v1::GroupStatus& group : response.groups()) names.push_back(group.name());
    return names;
  }
  static bool Knows(const NodeProcess& node, const std::string& group) {
    const std::vector<std::string> names = Groups(node);
    return std::find(names.begin(), names.end(), group) != names.end();
  }
};

// While decisions are made one after another; each one that was answered before the backup began
// is in it.
TEST_F(BackupTest, ABackupUnderLoadIsWholeAndRestored) {
  WriteUpdates("agent", 20, 2000);
  NodeProcess& root = AddRootWithBackups();
  Import(root);
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::thread operators([&] {
    for (int i = 0; !stop; ++i) {
      EXPECT_EQ(root.Cli({"group", "create", absl::StrCat("group-", i)}).exit_code, 0);
      ++answered;
    }
  });
  EXPECT_TRUE(Eventually(root, [&] { return answered >= 10; }));
  const int before = answered;
  const Finished made = root.Cli({"backup", "create"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("made backup 1"));
  const Finished verified = root.Cli({"backup", "verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  stop = true;
  operators.join();

  EXPECT_EQ(root.Stop(), 0);
  std::filesystem::remove_all(root.state_dir());
  const Finished restored = root.Offline({"restore"});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_THAT(restored.out, HasSubstr(root.node_id()));
  EXPECT_EQ(root.Offline({"restore"}).exit_code, 4) << "it is there already";
  root.Start();
  EXPECT_EQ(UpdateCount(root), 20);
  const std::vector<std::string> groups = Groups(root);
  for (int i = 0; i < before; ++i) EXPECT_THAT(groups, Contains(absl::StrCat("group-", i)));
  const Finished audit = root.Cli({"audit", "verify"});
  EXPECT_EQ(audit.exit_code, 0) << audit.out;
}

// What was decided after the backup is known below alone; it stays there and is named.
TEST_F(BackupTest, NodesBelowKeepWhatTheRestoredRootLacks) {
  WriteUpdates("agent", 10, 2000);
  NodeProcess& root = AddRootWithBackups();
  Import(root);
  ApproveAll(root, "agent-1");
  ASSERT_EQ(root.Cli({"backup", "create"}).exit_code, 0);
  ASSERT_EQ(root.Cli({"group", "create", "Later"}).exit_code, 0);
  NodeProcess& leaf = AddFollower("site", root.node_socket());
  leaf.Start();
  const auto knows_later = [&] { return Knows(leaf, "Later"); };
  ASSERT_TRUE(Eventually(leaf, knows_later));

  EXPECT_EQ(root.Stop(), 0);
  std::filesystem::remove_all(root.state_dir() + "/db");
  std::filesystem::remove(root.state_dir() + "/node.id");
  const Finished restored = root.Offline({"restore", "--backup", "1"});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  root.Start();
  EXPECT_FALSE(Knows(root, "Later"));
  EXPECT_TRUE(Eventually(leaf, [&] { return CheckParity(leaf).exit_code == 2; }));
  EXPECT_TRUE(knows_later()) << "what only the old history knew is gone";
  // The same again, by its operator: nothing is missing above any more.
  ASSERT_EQ(root.Cli({"group", "create", "Later"}).exit_code, 0);
  EXPECT_TRUE(Eventually(leaf, [&] { return CheckParity(leaf).exit_code == 0; }));
  const Finished audit = root.Cli({"audit", "list"});
  EXPECT_THAT(audit.out, HasSubstr("restore"));
}

TEST_F(BackupTest, RefusesAStoreOfTheOtherRole) {
  NodeProcess& root = AddRootWithBackups();
  ASSERT_EQ(root.Cli({"backup", "create"}).exit_code, 0);
  NodeProcess& leaf = AddFollower("site", root.node_socket());
  std::filesystem::remove_all(leaf.state_dir());
  const Finished restored = leaf.Offline({"restore", "--from", directory() + "/backups"});
  EXPECT_EQ(restored.exit_code, 4) << restored.err;
  EXPECT_THAT(restored.err, HasSubstr("sluice-upstreamd"));
  const Finished none = leaf.Offline({"restore"});
  EXPECT_EQ(none.exit_code, 3) << none.err;
  EXPECT_THAT(none.err, HasSubstr("--from"));
}

// The root is lost for good: the region takes its place, and the site follows as before.
TEST_F(BackupTest, APromotedFollowerIsTheRootOfThoseBelow) {
  WriteUpdates("agent", 10, 2000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  ApproveAll(root, "agent-1");
  NodeProcess& region = AddFollower("region", root.node_socket());
  region.Start();
  NodeProcess& site = AddFollower("site", region.node_socket());
  site.Start();
  const int approved = ReadyUpdates(root);
  ASSERT_GT(approved, 0);
  ASSERT_TRUE(Eventually(site, [&] { return ReadyUpdates(site) == approved; }));
  root.Kill();
  EXPECT_EQ(region.Stop(), 0);

  region.BecomeRoot(absl::StrCat("sources:\n  - name: source\n    schedule: {times_a_day: 0}\n",
                                 "    directory: {path: ", source_dir(), "}\n"));
  EXPECT_EQ(region.StartAndEnd().exit_code, 4) << "it is a follower's store still";
  const Finished promoted = region.Offline({"promote"});
  ASSERT_EQ(promoted.exit_code, 0) << promoted.err;
  region.Start();
  EXPECT_EQ(ReadyUpdates(region), approved);
  EXPECT_EQ(UpdateCount(region), 10);
  WriteUpdate("news", 2000);
  Import(region);
  ApproveAll(region, "news");
  EXPECT_TRUE(Eventually(site, [&] { return ReadyUpdates(site) == approved + 1; }));
  EXPECT_TRUE(Eventually(site, [&] { return CheckParity(site).exit_code == 0; }))
      << CheckParity(site).Text();
  EXPECT_EQ(UpdateCount(site), 11);
  EXPECT_EQ(region.Cli({"condition", "list", "-o", "name"}).out, "");
}

}  // namespace
}  // namespace sluice
