#include "storage/space_guard.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/file_content_store.h"
#include "storage/guarded_ordered_store.h"
#include "storage/memory_ordered_store.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMebibyte = int64_t{1} << 20;

// A volume whose free space a test sets.
class SpaceGuardTest : public ::testing::Test {
 protected:
  SpaceGuard Guard() {
    return SpaceGuard("/volume", 256 * kMebibyte, [this](const std::string&) { return free_; });
  }
  int64_t free_ = 300 * kMebibyte;
};

TEST_F(SpaceGuardTest, RefusesWhatWouldLeaveLessThanIsKept) {
  EXPECT_TRUE(Guard().Check(v1::REASON_STORE_NO_SPACE, 44 * kMebibyte).ok());
  const absl::Status status = Guard().Check(v1::REASON_CONTENT_NO_SPACE, 45 * kMebibyte);
  EXPECT_EQ(ReasonOf(status), v1::REASON_CONTENT_NO_SPACE);
  EXPECT_EQ(
      status.message(),
      "only 300 MiB are free on the volume of /volume, of which 256 MiB are kept free; 45 MiB "
      "are to be written");
}

TEST_F(SpaceGuardTest, LetsWriteWhereNobodyCanSay) {
  free_ = -1;
  EXPECT_TRUE(Guard().Check(v1::REASON_STORE_NO_SPACE, kMebibyte).ok());
  EXPECT_TRUE(SpaceGuard("/", 0).Check(v1::REASON_STORE_NO_SPACE, 0).ok());
  EXPECT_FALSE(SpaceGuard("/", int64_t{1} << 62).Check(v1::REASON_STORE_NO_SPACE, 0).ok());
}

TEST_F(SpaceGuardTest, AGuardedStoreReadsOnAndWritesAgainWhenThereIsSpace) {
  MemoryOrderedStore inner;
  const Ballast none("/nonexistent/ballast", 0);
  GuardedOrderedStore store(inner, Guard(), Guard(), none);
  WriteSet first;
  first.Put(Family::kSettings, "a", "1");
  ASSERT_TRUE(store.Write(first).ok());
  free_ = 200 * kMebibyte;
  WriteSet second;
  second.Put(Family::kSettings, "a", "2");
  EXPECT_EQ(ReasonOf(store.Write(second)), v1::REASON_STORE_NO_SPACE);
  EXPECT_EQ(*store.View()->Get(Family::kSettings, "a"), "1");
  free_ = 300 * kMebibyte;
  EXPECT_TRUE(store.Write(second).ok());
  EXPECT_EQ(*store.View()->Get(Family::kSettings, "a"), "2");
}

TEST_F(SpaceGuardTest, AContentStoreRefusesAFileBeforeItsFirstByte) {
  const TemporaryDirectory directory;
  const auto store = FileContentStore::Open(directory.path(), Guard());
  ASSERT_TRUE(store.ok()) << store.status();
  const auto writer = (*store)->Write(Digest::Of("x"), 50 * kMebibyte);
  EXPECT_EQ(ReasonOf(writer.status()), v1::REASON_CONTENT_NO_SPACE);
  EXPECT_THAT(writer.status().message(), HasSubstr("50 MiB are to be written"));
  EXPECT_TRUE((*store)->Write(Digest::Of("x"), kMebibyte).ok());
}

}  // namespace
}  // namespace sluice
