// An upstream that lost everything: its downstream goes on, says what is missing above, and moves
// only the difference when it comes back.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

class RebuiltUpstreamTest : public TreeTest {
 protected:
  static int MissingUpstream(const NodeProcess& node) {
    int count = 0;
    for (const v1::UpdateSummary& update : Updates(node)) {
      count += update.missing_upstream();
    }
    return count;
  }

  static int Missing(const Parity& parity, v1::RecordKind kind) {
    int count = 0;
    for (const v1::Finding& finding : parity.findings) {
      count +=
          finding.finding_class() == v1::FINDING_CLASS_MISSING_UPSTREAM && finding.kind() == kind;
    }
    return count;
  }

  static void Reinstall(NodeProcess& root) {
    EXPECT_EQ(root.Stop(), 0);
    std::filesystem::remove_all(root.state_dir());
    root.Init();
    root.Start();
  }
};

TEST_F(RebuiltUpstreamTest, TheDownstreamKeepsServingAndOnlyTheDifferenceMoves) {
  constexpr int kUpdates = 60;
  WriteUpdates("agent", kUpdates, 3000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  EXPECT_EQ(root.Cli({"group", "create", "Pilot"}).exit_code, 0);
  ApproveAll(root, "agent-1");
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  const int approved = ReadyUpdates(root);
  ASSERT_GT(approved, 1);
  ASSERT_TRUE(Eventually(middle, [&] { return ReadyUpdates(middle) == approved; }));
  const int64_t first_bytes = RecordBytes(middle);
  ASSERT_GT(first_bytes, 0);

  Reinstall(root);
  ASSERT_TRUE(Eventually(middle, [&] { return MissingUpstream(middle) == kUpdates; }));
  EXPECT_EQ(UpdateCount(middle), kUpdates);
  EXPECT_EQ(ReadyUpdates(middle), approved);
  const Parity empty = CheckParity(middle);
  EXPECT_EQ(empty.exit_code, 2) << empty.Text();
  EXPECT_EQ(Missing(empty, v1::RECORD_KIND_REVISION), kUpdates) << empty.Text();
  NodeProcess& leaf = AddFollower("site", middle.node_socket());
  leaf.Start();
  EXPECT_TRUE(Eventually(leaf, [&] { return ReadyUpdates(leaf) == approved; }))
      << "the middle does not serve what it keeps";

  const int64_t before_bytes = RecordBytes(middle);
  WriteUpdate("news", 3000);
  Import(root);
  ASSERT_TRUE(Eventually(
      middle, [&] { return MissingUpstream(middle) == 0 && UpdateCount(middle) == kUpdates + 1; }));
  const int64_t moved_bytes = RecordBytes(middle) - before_bytes;
  EXPECT_LT(moved_bytes, first_bytes / 5) << "more than the difference moved";

  const Parity back = CheckParity(middle);
  EXPECT_EQ(Missing(back, v1::RECORD_KIND_REVISION), 0) << back.Text();
  EXPECT_EQ(Missing(back, v1::RECORD_KIND_POLICY), approved) << back.Text();
  EXPECT_EQ(Missing(back, v1::RECORD_KIND_TARGET_GROUP), 1) << back.Text();
  EXPECT_EQ(ReadyUpdates(middle), approved) << "decisions known only here stay in force";
}

}  // namespace
}  // namespace sluice
