// A Debian repository as the source: made on the spot, verified, and one package altered in place.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

class DebianSourceTest : public TreeTest {
 protected:
  void SetUp() override {
    repository_ = directory() + "/repository";
    const Finished made =
        RunCommand({SLUICE_SOURCE_DIR "/deploy/sample_repository", repository_}, kPatience);
    ASSERT_EQ(made.exit_code, 0) << made.err;
    root_ = &AddRootWithSource(
        "hq", absl::StrCat("    debian:\n      uri: file://", repository_,
                           "\n      suite: sample-security\n      signed_by: ", repository_,
                           "/key.asc\n"));
  }

  std::string Package(const std::string& name) const {
    for (const auto& entry : std::filesystem::directory_iterator(repository_ + "/pool/main")) {
      if (absl::StartsWith(entry.path().filename().string(), name + "_")) return entry.path();
    }
    return "";
  }

  // Other bytes, the same size.
  static void Alter(const std::string& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path) / 2));
    file << "altered";
    ASSERT_TRUE(file.flush().good()) << path;
  }

  static v1::UpdateSummary Update(const NodeProcess& node, const std::string& source_package) {
    for (const v1::UpdateSummary& update : Updates(node)) {
      if (absl::StartsWith(update.title(), source_package + " ")) return update;
    }
    return {};
  }

  std::string repository_;
  NodeProcess* root_ = nullptr;
};

TEST_F(DebianSourceTest, AnAlteredPackageOfTheSameSizeNeverBecomesPresent) {
  root_->Start();
  Import(*root_);
  ASSERT_EQ(UpdateCount(*root_), 5);
  Alter(Package("lantern"));
  NodeProcess& leaf = AddFollower("site", root_->node_socket());
  leaf.Start();

  EXPECT_EQ(
      root_->Cli({"approve", Update(*root_, "lantern").title(), Update(*root_, "harbour").title()})
          .exit_code,
      0);
  EXPECT_TRUE(Eventually(
      leaf, [&] { return Update(leaf, "harbour").content() == v1::CONTENT_STATE_READY; }));
  EXPECT_TRUE(Eventually(*root_, [&] {
    return Update(*root_, "lantern").content() == v1::CONTENT_STATE_FAILED;
  })) << Update(*root_, "lantern").DebugString();
  EXPECT_NE(Update(leaf, "lantern").content(), v1::CONTENT_STATE_READY);
  const auto update =
      root_->Get<v1::GetUpdateResponse>({"update", "get", Update(*root_, "lantern").title()});
  EXPECT_EQ(update.revisions(0).files(0).state(), v1::CONTENT_STATE_FAILED);
  EXPECT_NE(update.revisions(0).files(0).detail(), "");
  EXPECT_EQ(CheckParity(leaf).Count(v1::FINDING_CLASS_CONTENT_MISSING), 1)
      << CheckParity(leaf).Text();
}

TEST_F(DebianSourceTest, ImportsNothingTwice) {
  root_->Start();
  Import(*root_);
  Import(*root_);
  const std::vector<v1::Session> sessions = Sessions(*root_);
  ASSERT_EQ(sessions.size(), 2u);
  EXPECT_GT(sessions[1].counts().revisions(), 0);
  EXPECT_EQ(sessions[0].counts().revisions(), 0) << sessions[0].DebugString();
  EXPECT_EQ(sessions[0].method(), v1::SYNC_METHOD_NONE);
}

TEST_F(DebianSourceTest, ARepositoryWithoutAGoodSignatureChangesNothing) {
  const std::string release = repository_ + "/dists/sample-security/InRelease";
  std::string text = ReadFile(release);
  const size_t at = text.find("Codename: ");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 10, "codename: ");
  WriteFile(release, text);
  root_->Start();
  EXPECT_EQ(root_->Cli({"sync", "start", "--wait"}).exit_code, 1);
  EXPECT_EQ(UpdateCount(*root_), 0);
  const v1::Session session = Sessions(*root_).front();
  ASSERT_GT(session.errors_size(), 0) << session.DebugString();
  EXPECT_EQ(session.errors(session.errors_size() - 1).reason(), "SOURCE_SIGNATURE");
}

}  // namespace
}  // namespace sluice
