// Every class of difference, planted and found.
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

class ParityClassesTest : public TreeTest {
 protected:
  // Synchronises when told to and never by itself.
  static constexpr char kByHand[] = "  watch: false\n  schedule: {times_a_day: 0}\n";

  // Until it succeeds: a connection to an upstream that was away is made anew after a moment.
  static void Sync(const NodeProcess& node) {
    Finished finished;
    EXPECT_TRUE(Eventually(node,
                           [&] {
                             finished = node.Cli({"sync", "start", "--wait"});
                             return finished.exit_code == 0;
                           }))
        << finished.out << finished.err;
  }

  static std::string DigestOf(const NodeProcess& node, const std::string& title) {
    const auto update = node.Get<v1::GetUpdateResponse>({"update", "get", title});
    return update.revisions_size() == 0 ? "" : update.revisions(0).files(0).sha256();
  }

  // <content>/ab/cd..., as the content store lays files out.
  static std::string FileOf(const NodeProcess& node, const std::string& digest) {
    const std::string path =
        absl::StrCat(node.content_dir(), "/", digest.substr(0, 2), "/", digest.substr(2));
    EXPECT_TRUE(std::filesystem::exists(path)) << path;
    return path;
  }

  static void FlipByte(const std::string& path) {
    std::filesystem::permissions(path, std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(100);
    const char byte = static_cast<char>(file.get());
    file.seekp(100);
    file.put(static_cast<char>(byte ^ 1));
    ASSERT_TRUE(file.flush().good()) << path;
  }

  static void ExpectOnly(const Parity& parity, v1::FindingClass finding_class, int count) {
    EXPECT_EQ(parity.Count(finding_class), count) << parity.Text();
    EXPECT_EQ(static_cast<int>(parity.findings.size()), count) << parity.Text();
    for (const v1::Finding& finding : parity.findings) {
      EXPECT_NE(finding.cause(), "") << parity.Text();
      EXPECT_NE(finding.remedy(), "") << parity.Text();
    }
  }

  // hq with three updates, the first of which is approved; region in parity with it.
  void SetUp() override {
    WriteUpdates("agent", 3, 2000);
    root_ = &AddRoot("hq");
    root_->Start();
    Import(*root_);
    ApproveAll(*root_, "agent-0");
    node_ = &AddFollower("region", root_->node_socket(), kByHand);
    node_->Start();
    Sync(*node_);
    ASSERT_TRUE(Eventually(*node_, [&] { return ReadyUpdates(*node_) == 1; }));
    ASSERT_EQ(CheckParity(*node_).exit_code, 0) << CheckParity(*node_).Text();
  }

  NodeProcess* root_ = nullptr;
  NodeProcess* node_ = nullptr;
};

TEST_F(ParityClassesTest, FindsWhatHasNotArrivedYet) {
  WriteUpdate("news", 1000);
  Import(*root_);
  const Parity parity = CheckParity(*node_);
  ExpectOnly(parity, v1::FINDING_CLASS_MISSING_DOWNSTREAM, 1);
  EXPECT_EQ(parity.exit_code, 1);
}

TEST_F(ParityClassesTest, FindsARevisionThatDiffers) {
  WriteUpdate("agent-2", 2000, /*edition=*/2);
  Import(*root_);
  const Parity parity = CheckParity(*node_);
  EXPECT_EQ(parity.Count(v1::FINDING_CLASS_REVISION_DIFFERS), 1) << parity.Text();
  EXPECT_EQ(parity.exit_code, 1);
}

TEST_F(ParityClassesTest, FindsADecisionThatDiffers) {
  EXPECT_EQ(root_->Cli({"decline", "agent-0 edition 1"}).exit_code, 0);
  const Parity parity = CheckParity(*node_);
  ExpectOnly(parity, v1::FINDING_CLASS_DECLINE_MISMATCH, 1);
  EXPECT_EQ(parity.exit_code, 1);
}

TEST_F(ParityClassesTest, FindsWhatARestoredUpstreamNoLongerHas) {
  EXPECT_EQ(root_->Stop(), 0);
  const std::string backup = root_->directory() + "/backup";
  std::filesystem::copy(root_->state_dir(), backup, std::filesystem::copy_options::recursive);
  root_->Start();
  WriteUpdate("news", 1000);
  Import(*root_);
  Sync(*node_);

  EXPECT_EQ(root_->Stop(), 0);
  std::filesystem::remove_all(root_->state_dir());
  std::filesystem::rename(backup, root_->state_dir());
  root_->Start();
  Parity parity;
  EXPECT_TRUE(Eventually(*node_, [&] {
    parity = CheckParity(*node_);
    return parity.exit_code < 3;
  }));
  EXPECT_EQ(parity.Count(v1::FINDING_CLASS_MISSING_UPSTREAM), 1) << parity.Text();
  EXPECT_EQ(parity.exit_code, 2) << parity.Text();
}

TEST_F(ParityClassesTest, FindsAFileThatIsGoneAndFetchesItAgain) {
  std::filesystem::remove(FileOf(*node_, DigestOf(*node_, "agent-0 edition 1")));
  ExpectOnly(CheckParity(*node_), v1::FINDING_CLASS_CONTENT_MISSING, 1);
  EXPECT_EQ(node_->Cli({"parity", "fix"}).exit_code, 0);
  EXPECT_TRUE(Eventually(*node_, [&] { return CheckParity(*node_).exit_code == 0; }))
      << CheckParity(*node_).Text();
}

TEST_F(ParityClassesTest, FindsAFileThatRottedAndFetchesItAgain) {
  FlipByte(FileOf(*node_, DigestOf(*node_, "agent-0 edition 1")));
  const Parity parity = CheckParity(*node_);
  ExpectOnly(parity, v1::FINDING_CLASS_CONTENT_CORRUPT, 1);
  EXPECT_EQ(parity.exit_code, 2) << parity.Text();
  EXPECT_EQ(node_->Cli({"content", "verify"}).exit_code, 1);
  EXPECT_TRUE(Eventually(*node_, [&] { return CheckParity(*node_).exit_code == 0; }))
      << CheckParity(*node_).Text();
}

}  // namespace
}  // namespace sluice
