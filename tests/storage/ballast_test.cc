#include "storage/ballast.h"

#include <sys/stat.h>

#include <filesystem>

#include "common/errors.h"
#include "gtest/gtest.h"
#include "storage/guarded_ordered_store.h"
#include "storage/memory_ordered_store.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

class BallastTest : public ::testing::Test {
 protected:
  SpaceGuard Guard(int64_t keep_free_bytes) const {
    return SpaceGuard(directory_.path(), keep_free_bytes,
                      [this](const std::string&) { return free_; });
  }
  // What the file takes on the disk.
  int64_t TakenBytes() const {
    struct stat file {};
    return stat(path_.c_str(), &file) == 0 ? file.st_blocks * 512 : -1;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/ballast";
  int64_t free_ = 100 * kMebibyte;
};

TEST_F(BallastTest, TakesSpaceAndGivesItBack) {
  Ballast ballast(path_, 4 * kMebibyte);
  EXPECT_FALSE(ballast.reserved());
  ASSERT_TRUE(ballast.Reserve(Guard(10 * kMebibyte)).ok());
  EXPECT_TRUE(ballast.reserved());
  EXPECT_GE(TakenBytes(), 4 * kMebibyte);
  ASSERT_TRUE(ballast.Release().ok());
  EXPECT_TRUE(ballast.released());
  EXPECT_EQ(TakenBytes(), 0);
}

TEST_F(BallastTest, RemembersWhatBecameOfIt) {
  ASSERT_TRUE(Ballast(path_, 4 * kMebibyte).Reserve(Guard(0)).ok());
  EXPECT_TRUE(Ballast(path_, 4 * kMebibyte).reserved());
  EXPECT_FALSE(Ballast(path_, 5 * kMebibyte).reserved()) << "another size is made anew";
  ASSERT_TRUE(Ballast(path_, 4 * kMebibyte).Release().ok());
  EXPECT_TRUE(Ballast(path_, 4 * kMebibyte).released());
  EXPECT_FALSE(Ballast(path_, 0).released()) << "none is wanted any more";
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(BallastTest, TakesNothingThatIsKeptFree) {
  Ballast ballast(path_, 4 * kMebibyte);
  const absl::Status status = ballast.Reserve(Guard(97 * kMebibyte));
  EXPECT_EQ(ReasonOf(status), v1::REASON_STORE_NO_SPACE) << status;
  EXPECT_FALSE(ballast.reserved());
  EXPECT_FALSE(ballast.released());
}

TEST_F(BallastTest, LetsTheStoreWriteOnWhileItIsReleased) {
  MemoryOrderedStore inner;
  Ballast ballast(path_, 4 * kMebibyte);
  GuardedOrderedStore store(inner, Guard(40 * kMebibyte), Guard(10 * kMebibyte), ballast);
  ASSERT_TRUE(ballast.Reserve(Guard(40 * kMebibyte)).ok());
  free_ = 20 * kMebibyte;
  WriteSet write;
  write.Put(Family::kSettings, "a", "1");
  EXPECT_EQ(ReasonOf(store.Write(write)), v1::REASON_STORE_NO_SPACE);
  ASSERT_TRUE(ballast.Release().ok());
  EXPECT_TRUE(store.Write(write).ok());
  free_ = 5 * kMebibyte;
  EXPECT_EQ(ReasonOf(store.Write(write)), v1::REASON_STORE_NO_SPACE);
  free_ = 100 * kMebibyte;
  ASSERT_TRUE(ballast.Reserve(Guard(40 * kMebibyte)).ok());
  free_ = 20 * kMebibyte;
  EXPECT_EQ(ReasonOf(store.Write(write)), v1::REASON_STORE_NO_SPACE);
}

}  // namespace
}  // namespace sluice
