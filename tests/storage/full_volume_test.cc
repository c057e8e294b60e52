// The store at the end of its disk, without the guard that keeps it from getting there: RocksDB
// itself meets ENOSPC in the middle of a write.
#include <filesystem>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "storage/payload.h"
#include "storage/state_directory.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/small_volume.h"
#include "tests/storage/temporary_directory.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

constexpr int kRounds = 8;
constexpr int kVolumeMebibytes = 100;

std::string Noise(size_t bytes) {
  std::mt19937 random(7);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(' ' + static_cast<int>(random() % 95));
  return noise;
}

class FullVolumeTest : public ::testing::Test {
 protected:
  // A record and a row that hardly gets smaller by compression.
  absl::Status Commit(int number) {
    stored::v1::ContentRow row;
    row.mutable_last_failure()->set_message(noise_);
    CatalogChange change;
    change.Originate(*PackRevision(MakeRevision({.name = absl::StrCat(number)}), 0));
    // Few keys, so that what is written is what takes the space, and not what stays.
    change.PutRow(Family::kContent, absl::StrCat(number % 8), row);
    return state_->catalog().Commit(change).status();
  }
  void ExpectThere(int count) {
    const CatalogReader reader = state_->catalog().Read();
    for (int i = 0; i < count; ++i) {
      if (refused_.count(i) > 0) continue;
      EXPECT_EQ(reader.Revisions(UpdateIdOf(absl::StrCat(i)))->size(), 1U) << i;
    }
    const absl::Status books = CheckInvariants(reader);
    EXPECT_TRUE(books.ok()) << books;
  }

  TemporaryDirectory directory_;
  SystemClock clock_;
  const std::string noise_ = Noise(400'000);
  std::set<int> refused_;
  std::unique_ptr<StateDirectory> state_;
};

TEST_F(FullVolumeTest, LosesNothingThatWasAcknowledgedAndWritesWhenItIsOpenedAgain) {
  SmallVolume volume(directory_.path(), kVolumeMebibytes);
  if (const absl::Status mounted = volume.Mount(); !mounted.ok()) GTEST_SKIP() << mounted;
  const StatePaths paths = {directory_.path() + "/state", directory_.path() + "/content",
                            /*keep_free_bytes=*/0};
  ASSERT_TRUE(StateDirectory::Init(paths, clock_).ok());
  state_ = *StateDirectory::Open(paths);
  int number = 0;
  for (int round = 0; round < kRounds; ++round) {
    volume.Fill();
    absl::Status status;
    while (status.ok() && number < 100'000) {
      status = Commit(number);
      if (!status.ok()) refused_.insert(number);
      ++number;
    }
    EXPECT_EQ(ReasonOf(status), v1::REASON_STORE_WRITE_FAILED)
        << "round " << round << ": " << status;
    EXPECT_FALSE(state_->catalog().WriteFailure().ok());
    ExpectThere(number);
    EXPECT_FALSE(Commit(number).ok()) << "it must not touch the log in which a write failed";
    refused_.insert(number++);
    state_.reset();
    volume.Empty();
    absl::StatusOr<std::unique_ptr<StateDirectory>> again = StateDirectory::Open(paths);
    ASSERT_TRUE(again.ok()) << "round " << round << ": " << again.status();
    state_ = *std::move(again);
    ExpectThere(number);
    const absl::Status goes_on = Commit(number++);
    ASSERT_TRUE(goes_on.ok()) << "round " << round << ": " << goes_on;
  }
  state_.reset();
}

}  // namespace
}  // namespace sluice
