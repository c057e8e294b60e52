#include "storage/state_directory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/payload.h"
#include "tests/storage/temporary_directory.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class StateDirectoryTest : public ::testing::Test {
 protected:
  absl::Status OpenStatus() { return StateDirectory::Open(paths_).status(); }

  TemporaryDirectory directory_;
  const StatePaths paths_ = {directory_.path() + "/state", directory_.path() + "/content"};
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
};

TEST_F(StateDirectoryTest, OpensWhatItMade) {
  EXPECT_TRUE(absl::IsNotFound(OpenStatus()));
  const absl::StatusOr<Uuid> node = StateDirectory::Init(paths_, clock_);
  ASSERT_TRUE(node.ok()) << node.status();
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ((*state)->catalog().node_id(), *node);
}

TEST_F(StateDirectoryTest, IsMadeOnce) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  const absl::Status again = StateDirectory::Init(paths_, clock_).status();
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  EXPECT_THAT(std::string(again.message()), HasSubstr(paths_.state_dir));
}

TEST_F(StateDirectoryTest, NamesTheProcessThatUsesIt) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  const absl::Status second = OpenStatus();
  EXPECT_EQ(ReasonOf(second), v1::REASON_STORE_LOCKED);
  EXPECT_THAT(std::string(second.message()), HasSubstr(std::to_string(getpid())));
}

TEST_F(StateDirectoryTest, RefusesAnotherNodesIdentityOrContent) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  std::filesystem::remove(paths_.content_dir + "/.sluice-content");
  EXPECT_EQ(ReasonOf(OpenStatus()), v1::REASON_STORE_IDENTITY);
  std::ofstream(paths_.state_dir + "/node.id") << Uuid::Random().ToString() << "\n";
  EXPECT_EQ(ReasonOf(OpenStatus()), v1::REASON_STORE_IDENTITY);
}

TEST_F(StateDirectoryTest, SaysDataLossWhenTheStoreIsBehindItsAnchorUntilRecovered) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  std::filesystem::copy(paths_.state_dir + "/db", directory_.path() + "/old",
                        std::filesystem::copy_options::recursive);
  v1::Epoch epoch;
  {
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    epoch = (*state)->catalog().epoch();
    CatalogChange change;
    change.Originate(*PackRevision(MakeRevision({.name = "a"}), 0));
    ASSERT_TRUE((*state)->catalog().Commit(change).ok());
  }
  std::filesystem::remove_all(paths_.state_dir + "/db");
  std::filesystem::rename(directory_.path() + "/old", paths_.state_dir + "/db");
  EXPECT_EQ(ReasonOf(OpenStatus()), v1::REASON_STORE_BEHIND_ANCHOR);
  ASSERT_TRUE(StateDirectory::Recover(paths_, clock_).ok());
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_NE((*state)->catalog().epoch().epoch_id(), epoch.epoch_id());
  EXPECT_GT((*state)->catalog().epoch().counter(), epoch.counter());
}

// A commit holds a record and a cursor that counts it: whatever the moment of the kill, the two
// agree afterwards.
TEST_F(StateDirectoryTest, HasRecordsAndCursorAgreeAfterAKill) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  const std::string upstream = Uuid::FromName({}, "upstream").bytes();
  uint64_t last = 0;
  for (int round = 0; round < 5; ++round) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto state = StateDirectory::Open(paths_);
      if (!state.ok()) _exit(1);
      for (uint64_t seq = last + 1;; ++seq) {
        CatalogChange change;
        change.Originate(*PackRevision(MakeRevision({.name = std::to_string(seq)}), 0));
        v1::Cursor cursor;
        cursor.set_upstream_id(upstream);
        cursor.set_seq(seq);
        change.SetCursor(cursor);
        if (!(*state)->catalog().Commit(change).ok()) _exit(2);
        if (write(ready[1], "x", 1) != 1) _exit(3);
      }
    }
    char byte = 0;
    for (int i = 0; i < 7 + round; ++i) ASSERT_EQ(read(ready[0], &byte, 1), 1);
    kill(child, SIGKILL);
    int exit_status = 0;
    ASSERT_EQ(waitpid(child, &exit_status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(exit_status));
    close(ready[0]);
    close(ready[1]);
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    const CatalogReader reader = (*state)->catalog().Read();
    const auto cursor = reader.GetCursor(*Uuid::FromBytes(upstream));
    ASSERT_TRUE(cursor.ok() && cursor->has_value());
    EXPECT_GE((*cursor)->seq(), last + 7);
    last = (*cursor)->seq();
    EXPECT_EQ(reader.List(v1::RECORD_KIND_REVISION, "", 100000)->size(), last);
  }
}

}  // namespace
}  // namespace sluice
