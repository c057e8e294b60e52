// A volume that somebody else fills: nothing that was acknowledged is lost, nobody aborts or hangs,
// reading goes on, and writing goes on by itself when there is space again.
#include <atomic>
#include <filesystem>
#include <iostream>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "gmock/gmock.h"
#include "sluice/v1/policy_service.pb.h"
#include "tests/storage/small_volume.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

constexpr int kVolumeMebibytes = 128;
constexpr int kRounds = 20;

// Creates one group after another, and knows which were acknowledged.
class GroupWriter {
 public:
  explicit GroupWriter(const std::string& address) : channel_(*Channel::Create(address)) {}

  // One more. Returns what the node answered within a time that is longer than any refusal takes.
  absl::Status Write() {
    v1::CreateGroupRequest request;
    request.set_name(absl::StrCat("group-", ++tried_));
    CallOptions options;
    options.deadline = absl::Now() + absl::Seconds(20);
    v1::CreateGroupResponse response;
    const absl::Status status =
        channel_->Unary("sluice.v1.PolicyService/CreateGroup", request, response, options);
    if (status.ok()) acknowledged_.insert(request.name());
    return status;
  }

  const std::set<std::string>& acknowledged() const { return acknowledged_; }

 private:
  const std::unique_ptr<Channel> channel_;
  int tried_ = 0;
  std::set<std::string> acknowledged_;
};

class FullDiskTest : public TreeTest {
 protected:
  FullDiskTest() { PrepareProcess(); }

  static std::set<std::string> Groups(const NodeProcess& node) {
    std::set<std::string> names;
    const auto response = node.Get<v1::ListGroupsResponse>({"group", "list"});
    for (const v1::GroupStatus& group : response.groups()) names.insert(group.name());
    return names;
  }
  static void ExpectAllThere(const NodeProcess& node, const std::set<std::string>& acknowledged) {
    const std::set<std::string> there = Groups(node);
    for (const std::string& name : acknowledged) {
      EXPECT_TRUE(there.count(name) > 0) << name << " was acknowledged and is gone";
    }
  }

  // Writes until `wanted`. False when that does not come in time.
  template <typename Wanted>
  static bool WriteUntil(GroupWriter& writer, const Wanted& wanted) {
    const absl::Time end = absl::Now() + absl::Seconds(60);
    absl::Status last;
    while (absl::Now() < end) {
      last = writer.Write();
      if (wanted(last)) return true;
    }
    std::cout << "last answer: " << last << "\n";
    return false;
  }

  // A running root on a small volume of its own; null when this machine lets nobody mount.
  NodeProcess* AddRootOnVolume(const std::string& node_yaml) {
    std::filesystem::create_directories(directory() + "/hq");
    volume_ = std::make_unique<SmallVolume>(directory() + "/hq", kVolumeMebibytes);
    if (const absl::Status mounted = volume_->Mount(); !mounted.ok()) {
      std::cout << mounted << "\n";
      return nullptr;
    }
    NodeProcess& root = AddRoot("hq");
    root.set_node_yaml(node_yaml);
    root.Start();
    return &root;
  }

  // Fills the volume while groups are written, waits for a refusal, and makes room again.
  void FillAgainAndAgain(NodeProcess& root) {
    GroupWriter writer(root.address());
    for (int round = 0; round < kRounds; ++round) {
      ASSERT_TRUE(WriteUntil(writer, [](const absl::Status& status) { return status.ok(); }))
          << "round " << round << ": no write goes on";
      std::thread somebody([this] { volume_->Fill(); });
      const bool refused = WriteUntil(writer, [](const absl::Status& status) {
        EXPECT_TRUE(status.ok() || ReasonOf(status) == v1::REASON_STORE_NO_SPACE) << status;
        return !status.ok();
      });
      somebody.join();
      ASSERT_TRUE(refused) << "round " << round;
      ExpectAllThere(root, writer.acknowledged());
      volume_->Empty();
    }
    ASSERT_TRUE(WriteUntil(writer, [](const absl::Status& status) { return status.ok(); }));
    root.Kill();
    root.Start();
    ExpectAllThere(root, writer.acknowledged());
  }

  std::unique_ptr<SmallVolume> volume_;
};

TEST_F(FullDiskTest, NothingAcknowledgedIsLostAndWritingGoesOnByItself) {
  NodeProcess* const root = AddRootOnVolume("  keep_free_mib: 16\n  ballast_mib: 8\n");
  if (root == nullptr) GTEST_SKIP() << "nobody may mount here";
  FillAgainAndAgain(*root);
}

TEST_F(FullDiskTest, TheBallastLetsAnOperatorCleanUp) {
  NodeProcess* const root = AddRootOnVolume("  keep_free_mib: 16\n  ballast_mib: 16\n");
  if (root == nullptr) GTEST_SKIP() << "nobody may mount here";
  GroupWriter writer(root->address());
  const absl::Status before = writer.Write();
  ASSERT_TRUE(before.ok()) << before;
  volume_->Fill();
  EXPECT_EQ(ReasonOf(writer.Write()), v1::REASON_STORE_NO_SPACE);
  EXPECT_THAT(root->Cli({"condition", "list"}).out, HasSubstr("STORE_NO_SPACE"));
  const Finished released = root->Cli({"space", "release"});
  EXPECT_EQ(released.exit_code, 0) << released.err;
  EXPECT_THAT(released.out, HasSubstr("gave back 16 MiB"));
  EXPECT_TRUE(writer.Write().ok());
  EXPECT_THAT(root->Cli({"condition", "list"}).out, HasSubstr("BALLAST_RELEASED"));
  EXPECT_NE(root->Cli({"space", "reserve"}).exit_code, 0) << "there is no room for it";
  volume_->Empty();
  EXPECT_EQ(root->Cli({"space", "reserve"}).exit_code, 0);
  EXPECT_EQ(root->Cli({"condition", "list", "-o", "name"}).out, "");
  ExpectAllThere(*root, writer.acknowledged());
}

// It cannot even open its log; what the message says is enough to get it going.
TEST_F(FullDiskTest, ANodeThatDoesNotStartForLackOfSpaceSaysSo) {
  NodeProcess* const root = AddRootOnVolume("  keep_free_mib: 16\n  ballast_mib: 16\n");
  if (root == nullptr) GTEST_SKIP() << "nobody may mount here";
  GroupWriter writer(root->address());
  ASSERT_TRUE(
      WriteUntil(writer, [&](const absl::Status&) { return writer.acknowledged().size() > 100; }));
  root->Kill();
  volume_->Fill();
  const Finished refused = root->StartAndEnd();
  EXPECT_EQ(refused.exit_code, 1) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("STORE_NO_SPACE"));
  std::filesystem::resize_file(root->state_dir() + "/ballast", 0);
  root->Start();
  ExpectAllThere(*root, writer.acknowledged());
}

}  // namespace
}  // namespace sluice
