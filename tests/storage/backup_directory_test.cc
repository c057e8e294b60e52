#include "storage/backup_directory.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/payload.h"
#include "storage/state_directory.h"
#include "tests/storage/temporary_directory.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

// Text that hardly gets smaller by compression.
std::string RandomText(size_t bytes, int seed) {
  std::mt19937 random(static_cast<uint32_t>(seed));
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(' ' + static_cast<int>(random() % 95));
  return text;
}

class BackupDirectoryTest : public ::testing::Test {
 protected:
  BackupDirectoryTest() {
    EXPECT_TRUE(StateDirectory::Init(paths_, clock_, {.mode = v1::NODE_MODE_ROOT}).ok());
    absl::StatusOr<std::unique_ptr<StateDirectory>> state = StateDirectory::Open(paths_);
    EXPECT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
  }

  void Add(const std::string& name) {
    CatalogChange change;
    change.Originate(*PackRevision(MakeRevision({.name = name}), 0));
    ASSERT_TRUE(state_->catalog().Commit(change).ok());
  }
  // `count` rows of 200 KB.
  void AddBulk(int count) {
    for (int i = 0; i < count; ++i) {
      CatalogChange change;
      stored::v1::ContentRow row;
      row.mutable_last_failure()->set_message(RandomText(200'000, i));
      change.PutRow(Family::kContent, std::to_string(i), row);
      ASSERT_TRUE(state_->catalog().Commit(change).ok());
    }
  }
  static size_t Records(StateDirectory& state) {
    return state.catalog().Read().List(v1::RECORD_KIND_REVISION, "", 100'000)->size();
  }
  absl::Status RestoreTo(const StatePaths& paths, uint32_t id = 0,
                         v1::NodeMode mode = v1::NODE_MODE_ROOT) {
    return StateDirectory::Restore(paths, backups_, id, mode, clock_).status();
  }
  stored::v1::BackupNote Note() {
    const stored::v1::StoreState now = *state_->catalog().Read().State();
    stored::v1::BackupNote note;
    note.set_node_id(now.node_id());
    note.set_mode(now.mode());
    *note.mutable_epoch() = now.epoch();
    note.set_head_seq(now.head_seq());
    return note;
  }
  absl::StatusOr<StoredBackup> Create(BackupDirectory::Progress progress = [](int64_t) {
    return true;
  }) {
    return backups_.Create(state_->store(), Note(), SpaceGuard(directory_.path(), 0), progress);
  }
  StatePaths Elsewhere(const std::string& name) const {
    return {directory_.path() + "/" + name, directory_.path() + "/" + name + "-content", 0};
  }

  TemporaryDirectory directory_;
  const StatePaths paths_ = {directory_.path() + "/state", directory_.path() + "/content", 0};
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  BackupDirectory backups_{directory_.path() + "/backups"};
  std::unique_ptr<StateDirectory> state_;
};

TEST_F(BackupDirectoryTest, RestoresWhatWasThereInANewEpoch) {
  Add("a");
  const auto made = Create();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->id, 1U);
  EXPECT_GT(made->size_bytes, 0);
  Add("b");
  const StatePaths elsewhere = Elsewhere("other");
  ASSERT_TRUE(RestoreTo(elsewhere).ok());
  const auto state = StateDirectory::Open(elsewhere, v1::NODE_MODE_ROOT);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ((*state)->catalog().node_id(), state_->catalog().node_id());
  EXPECT_NE((*state)->catalog().epoch().epoch_id(), state_->catalog().epoch().epoch_id());
  EXPECT_GT((*state)->catalog().epoch().counter(), state_->catalog().epoch().counter());
  EXPECT_EQ(Records(**state), 1U);
}

TEST_F(BackupDirectoryTest, HoldsWhatWasAcknowledgedBeforeWhileWritesGoOn) {
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> acknowledged = 0;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      Add(std::to_string(i));
      ++acknowledged;
    }
  });
  while (acknowledged < 50) std::this_thread::yield();
  std::vector<uint64_t> before;
  for (int i = 0; i < 5; ++i) {
    before.push_back(acknowledged);
    const auto made = Create();
    ASSERT_TRUE(made.ok()) << made.status();
  }
  stop = true;
  writer.join();
  for (uint32_t id = 1; id <= 5; ++id) {
    ASSERT_TRUE(backups_.Verify(id).ok()) << backups_.Verify(id).status();
    const StatePaths elsewhere = Elsewhere(std::to_string(id));
    ASSERT_TRUE(RestoreTo(elsewhere, id).ok());
    const auto state = StateDirectory::Open(elsewhere);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_GE(Records(**state), before[id - 1]);
  }
}

TEST_F(BackupDirectoryTest, SharesWhatDidNotChange) {
  AddBulk(20);
  ASSERT_TRUE(Create().ok());
  const auto bytes = [&] {
    int64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(backups_.path())) {
      if (entry.is_regular_file()) sum += static_cast<int64_t>(entry.file_size());
    }
    return sum;
  };
  const int64_t one = bytes();
  ASSERT_TRUE(Create().ok());
  EXPECT_LT(bytes() - one, one / 10);
}

TEST_F(BackupDirectoryTest, FindsEveryDamagedFile) {
  Add("a");
  ASSERT_TRUE(Create().ok());
  int damaged = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(backups_.path() + "/shared_checksum")) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);
    char byte = 0;
    file.seekg(middle).get(byte);
    file.seekp(middle).put(static_cast<char>(byte ^ 1)).flush();
    const absl::Status status = backups_.Verify(1).status();
    EXPECT_EQ(ReasonOf(status), v1::REASON_BACKUP_CORRUPT) << entry.path() << ": " << status;
    EXPECT_FALSE(RestoreTo(Elsewhere("x"), 1).ok()) << entry.path();
    file.seekp(middle).put(byte).flush();
    ++damaged;
  }
  EXPECT_GT(damaged, 0);
  EXPECT_TRUE(backups_.Verify(1).ok()) << backups_.Verify(1).status();
  EXPECT_TRUE(RestoreTo(Elsewhere("x"), 1).ok()) << "one that failed stands in the way";
}

TEST_F(BackupDirectoryTest, DeletesOneAndKeepsTheOthersWhole) {
  for (const char* name : {"a", "b", "c"}) {
    Add(name);
    ASSERT_TRUE(Create().ok());
  }
  ASSERT_TRUE(backups_.Delete(2).ok());
  EXPECT_EQ(ReasonOf(backups_.Delete(2)), v1::REASON_ITEM_NOT_FOUND);
  const auto left = backups_.List();
  ASSERT_TRUE(left.ok()) << left.status();
  ASSERT_EQ(left->size(), 2U);
  for (const StoredBackup& backup : *left) EXPECT_TRUE(backups_.Verify(backup.id).ok());
  EXPECT_EQ(left->back().id, 3U);
}

TEST_F(BackupDirectoryTest, LeavesNothingOfOneThatWasBrokenOff) {
  AddBulk(40);
  int asked = 0;
  const absl::Status status = Create([&asked](int64_t) { return ++asked > 1000; }).status();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_TRUE(backups_.List()->empty());
  EXPECT_TRUE(Create().ok()) << "the next one is made";
}

TEST_F(BackupDirectoryTest, MakesNoneThatWouldNotFit) {
  const SpaceGuard guard(directory_.path(), 1000, [](const std::string&) { return 1000; });
  Add("a");
  const auto made = backups_.Create(state_->store(), Note(), guard, [](int64_t) { return true; });
  EXPECT_EQ(ReasonOf(made.status()), v1::REASON_STORE_NO_SPACE) << made.status();
  EXPECT_TRUE(backups_.List()->empty());
}

TEST_F(BackupDirectoryTest, IsOfOneNode) {
  ASSERT_TRUE(Create().ok());
  stored::v1::BackupNote other = Note();
  other.set_node_id(Uuid::Random().bytes());
  const auto made = backups_.Create(state_->store(), other, SpaceGuard(directory_.path(), 0),
                                    [](int64_t) { return true; });
  EXPECT_EQ(ReasonOf(made.status()), v1::REASON_STORE_IDENTITY) << made.status();
}

TEST_F(BackupDirectoryTest, SaysWhatIsNotThere) {
  EXPECT_TRUE(backups_.List()->empty());
  EXPECT_TRUE(absl::IsNotFound(backups_.Verify(1).status())) << backups_.Verify(1).status();
  EXPECT_TRUE(absl::IsNotFound(RestoreTo(Elsewhere("x")))) << RestoreTo(Elsewhere("x"));
  ASSERT_TRUE(Create().ok());
  EXPECT_EQ(ReasonOf(RestoreTo(Elsewhere("x"), 7)), v1::REASON_ITEM_NOT_FOUND);
}

TEST_F(BackupDirectoryTest, RestoresOverNoNodeAndForNoOtherRole) {
  ASSERT_TRUE(Create().ok());
  const StatePaths taken = Elsewhere("taken");
  ASSERT_TRUE(StateDirectory::Init(taken, clock_).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(RestoreTo(taken))) << RestoreTo(taken);
  std::filesystem::remove(taken.state_dir + "/node.id");
  EXPECT_TRUE(absl::IsAlreadyExists(RestoreTo(taken))) << "a store without a name is a store";
  const absl::Status content = RestoreTo({directory_.path() + "/new", taken.content_dir, 0});
  EXPECT_EQ(ReasonOf(content), v1::REASON_STORE_IDENTITY) << content;
  const absl::Status role = RestoreTo(Elsewhere("y"), 0, v1::NODE_MODE_REPLICA);
  EXPECT_EQ(ReasonOf(role), v1::REASON_STORE_IDENTITY) << role;
  EXPECT_THAT(std::string(role.message()), HasSubstr("sluice-upstreamd"));
}

TEST_F(BackupDirectoryTest, TakesTheContentOfTheSameNodeOver) {
  const Digest digest = Digest::Of("hello");
  {
    const auto writer = state_->content().Write(digest, 5);
    ASSERT_TRUE((*writer)->Append("hello").ok());
    ASSERT_TRUE((*writer)->Commit().ok());
  }
  ASSERT_TRUE(Create().ok());
  state_.reset();
  std::filesystem::remove_all(paths_.state_dir);
  ASSERT_TRUE(RestoreTo(paths_).ok());
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE((*state)->content().Verify(digest).ok());
}

}  // namespace
}  // namespace sluice
