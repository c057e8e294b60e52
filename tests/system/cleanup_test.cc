// Deletes over real processes: they reach the whole tree, spare what is leased, wait for the guard,
// and an import does not undo them.
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/upstream_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

class CleanupTest : public TreeTest {
 protected:
  static v1::CleanUpCatalogResponse CleanUp(const NodeProcess& root, bool confirm = false) {
    std::vector<std::string> command = {"cleanup", "run", "--declined", "--older-than", "0"};
    if (confirm) command.push_back("--confirm");
    return root.Get<v1::CleanUpCatalogResponse>(command);
  }

  static void DeclineAll(const NodeProcess& root, const std::string& text) {
    for (const v1::UpdateSummary& update : Updates(root)) {
      if (update.title().find(text) == std::string::npos) continue;
      EXPECT_EQ(root.Cli({"decline", update.update_id()}).exit_code, 0);
    }
  }

  // An id's bytes as JSON writes them.
  static std::string Base64OfId(const std::string& id) {
    return absl::Base64Escape(absl::HexStringToBytes(absl::StrReplaceAll(id, {{"-", ""}})));
  }

  static std::string HeldRemoval(const NodeProcess& node) {
    const auto listed = node.Get<v1::ListConditionsResponse>({"condition", "list"});
    for (const v1::Condition& condition : listed.conditions()) {
      if (condition.reason() != "GUARD_HELD") continue;
      const std::string begin = "removal ";
      const size_t at = condition.message().find(begin);
      return condition.message().substr(at + begin.size(), 16);
    }
    return "";
  }
};

TEST_F(CleanupTest, ReachesTheWholeTreeSparesWhatIsLeasedAndOutlivesAnImport) {
  WriteUpdates("agent", 20, 1000);
  WriteUpdates("old", 2, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  NodeProcess& leaf = AddFollower("site", middle.node_socket());
  leaf.Start();
  ASSERT_TRUE(Eventually(leaf, [&] { return UpdateCount(leaf) == 22; }));

  // As a node below would say it.
  std::string leased;
  for (const v1::UpdateSummary& update : Updates(root)) {
    if (update.title().find("old") != std::string::npos) leased = update.update_id();
  }
  DeclineAll(root, "old");
  ASSERT_FALSE(leased.empty());
  const std::string report = absl::StrCat(
      R"({"nodes": [{"nodeId": "AAAAAAAAAAAAAAAAAAAAAQ==", "name": "far"}], "leases": [{)",
      R"("nodeId": "AAAAAAAAAAAAAAAAAAAAAQ==", "updateIds": [")", Base64OfId(leased),
      R"("], "expiresAt": "2199-01-01T00:00:00Z"}]})");
  EXPECT_EQ(middle.RawCall("sluice.v1.ReplicationService/Report", report).exit_code, 0);
  ASSERT_TRUE(Eventually(middle, [&] {
    return root.Get<v1::ListLeasesResponse>({"cleanup", "leases"}).leases_size() == 1;
  })) << "the lease did not come up to the root";

  const v1::CleanUpCatalogResponse cleaned = CleanUp(root);
  EXPECT_EQ(cleaned.revisions_deleted(), 1);
  EXPECT_EQ(cleaned.leased(), 1);
  EXPECT_TRUE(Eventually(leaf, [&] { return UpdateCount(leaf) == 21; }));
  EXPECT_TRUE(CheckParity(leaf).findings.empty());

  WriteUpdate("news", 1000);
  Import(root);
  EXPECT_EQ(UpdateCount(root), 22) << "the import brought a deleted update back";
}

TEST_F(CleanupTest, ALargeRemovalWaitsForTheOperatorOfEachNode) {
  WriteUpdates("agent", 10, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& site = AddFollower("site", root.node_socket());
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 10; }));
  DeclineAll(root, "agent");
  const Finished refused = root.Cli({"cleanup", "run", "--declined", "--older-than", "0"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_NE(refused.err.find("GUARD_HELD"), std::string::npos) << refused.err;
  EXPECT_EQ(CleanUp(root, /*confirm=*/true).updates_deleted(), 10);

  ASSERT_TRUE(Eventually(site, [&] { return !HeldRemoval(site).empty(); }));
  EXPECT_EQ(UpdateCount(site), 10);
  EXPECT_EQ(site.Stop(), 0);
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return !HeldRemoval(site).empty(); }));
  const Finished shown = site.Cli({"guard", "show"});
  EXPECT_NE(shown.out.find(HeldRemoval(site)), std::string::npos) << shown.out << shown.err;
  EXPECT_NE(site.Cli({"guard", "release", "0123456789abcdef"}).exit_code, 0);
  const Finished released = site.Cli({"guard", "release"});
  EXPECT_EQ(released.exit_code, 0) << released.err;
  EXPECT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 0; }));
  EXPECT_EQ(HeldRemoval(site), "");
}

}  // namespace
}  // namespace sluice
