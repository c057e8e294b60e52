// The contract of an ordered store, for every medium.
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_ordered_store.h"
#include "storage/overlay_view.h"
#include "storage/rocks_ordered_store.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Medium {
  std::string name;
  std::function<std::unique_ptr<OrderedStore>(const std::string& directory)> make;
};

class OrderedStoreContract : public ::testing::TestWithParam<Medium> {
 protected:
  void Put(absl::string_view key, absl::string_view value, Family family = Family::kRecords) {
    WriteSet changes;
    changes.Put(family, key, value);
    ASSERT_TRUE(store_->Write(changes).ok());
  }

  static std::vector<std::string> Keys(const OrderedView& view, absl::string_view from,
                                       absl::string_view until) {
    std::vector<std::string> keys;
    const auto cursor = view.Scan(Family::kRecords, from, until);
    for (; cursor->Valid(); cursor->Next()) keys.emplace_back(cursor->key());
    EXPECT_TRUE(cursor->status().ok()) << cursor->status();
    return keys;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<OrderedStore> store_ = GetParam().make(directory_.path() + "/db");
};

TEST_P(OrderedStoreContract, ReadsWhatWasWrittenAndNothingElse) {
  Put("key", "value");
  EXPECT_EQ(*store_->View()->Get(Family::kRecords, "key"), "value");
  EXPECT_TRUE(absl::IsNotFound(store_->View()->Get(Family::kRecords, "other").status()));
  EXPECT_TRUE(absl::IsNotFound(store_->View()->Get(Family::kLog, "key").status()));
}

TEST_P(OrderedStoreContract, WalksKeysInByteOrderUpToTheBound) {
  for (const char* key : {"b", "a\xff", "c", "a"}) Put(key, "");
  const auto view = store_->View();
  EXPECT_THAT(Keys(*view, "", ""), ElementsAre("a", "a\xff", "b", "c"));
  EXPECT_THAT(Keys(*view, "a\xff", "c"), ElementsAre("a\xff", "b"));
  EXPECT_THAT(Keys(*view, "c", "a"), IsEmpty());
  EXPECT_THAT(Keys(*view, "d", ""), IsEmpty());
}

TEST_P(OrderedStoreContract, AppliesChangesInTheirOrder) {
  WriteSet changes;
  changes.Put(Family::kRecords, "a", "first");
  changes.Put(Family::kRecords, "a", "second");
  changes.Put(Family::kRecords, "b", "gone");
  changes.Delete(Family::kRecords, "b");
  changes.Delete(Family::kRecords, "never was");
  ASSERT_TRUE(store_->Write(changes).ok());
  EXPECT_EQ(*store_->View()->Get(Family::kRecords, "a"), "second");
  EXPECT_THAT(Keys(*store_->View(), "", ""), ElementsAre("a"));
}

TEST_P(OrderedStoreContract, ShowsAViewThatDoesNotChange) {
  Put("a", "old");
  const auto before = store_->View();
  Put("a", "new");
  Put("b", "new");
  EXPECT_EQ(*before->Get(Family::kRecords, "a"), "old");
  EXPECT_THAT(Keys(*before, "", ""), ElementsAre("a"));
  EXPECT_EQ(*store_->View()->Get(Family::kRecords, "a"), "new");
}

TEST_P(OrderedStoreContract, KeepsZeroBytesAndEmptyValues) {
  const std::string key("\0k\0", 3);
  Put(key, "");
  EXPECT_EQ(*store_->View()->Get(Family::kRecords, key), "");
}

TEST_P(OrderedStoreContract, ShowsChangesLaidOverAView) {
  for (const char* key : {"a", "b", "c"}) Put(key, "stored");
  OverlayView overlay(store_->View());
  overlay.Delete(Family::kRecords, "b");
  overlay.Put(Family::kRecords, "bb", "laid over");
  overlay.Put(Family::kRecords, "c", "laid over");
  overlay.Put(Family::kRecords, "d", "laid over");
  overlay.Delete(Family::kRecords, "never was");
  EXPECT_THAT(Keys(overlay, "", ""), ElementsAre("a", "bb", "c", "d"));
  EXPECT_THAT(Keys(overlay, "b", "d"), ElementsAre("bb", "c"));
  EXPECT_EQ(*overlay.Get(Family::kRecords, "c"), "laid over");
  EXPECT_TRUE(absl::IsNotFound(overlay.Get(Family::kRecords, "b").status()));
  ASSERT_TRUE(store_->Write(overlay.Changes()).ok());
  EXPECT_THAT(Keys(*store_->View(), "", ""), ElementsAre("a", "bb", "c", "d"));
}

TEST_P(OrderedStoreContract, TakesSortedRowsOfSeveralFamiliesInTogether) {
  Put("a", "old");
  Put("state", "old", Family::kState);
  const auto before = store_->View();
  auto ingest = store_->BeginIngest();
  ASSERT_TRUE(ingest.ok()) << ingest.status();
  ASSERT_TRUE((*ingest)->Put(Family::kRecords, "a", "new").ok());
  ASSERT_TRUE((*ingest)->Put(Family::kRecords, "b", "new").ok());
  ASSERT_TRUE((*ingest)->Put(Family::kLog, "c", "new").ok());
  ASSERT_TRUE((*ingest)->Put(Family::kState, "state", "new").ok());
  EXPECT_EQ(*store_->View()->Get(Family::kRecords, "a"), "old");
  ASSERT_TRUE((*ingest)->Commit().ok());
  ingest->reset();

  const auto after = store_->View();
  EXPECT_THAT(Keys(*after, "", ""), ElementsAre("a", "b"));
  EXPECT_EQ(*after->Get(Family::kRecords, "a"), "new");
  EXPECT_EQ(*after->Get(Family::kLog, "c"), "new");
  EXPECT_EQ(*after->Get(Family::kState, "state"), "new");
  EXPECT_THAT(Keys(*before, "", ""), ElementsAre("a"));
  EXPECT_EQ(*before->Get(Family::kRecords, "a"), "old");
  EXPECT_TRUE(absl::IsNotFound(before->Get(Family::kLog, "c").status()));
  // What is written later is newer.
  Put("a", "newest");
  EXPECT_EQ(*store_->View()->Get(Family::kRecords, "a"), "newest");
}

TEST_P(OrderedStoreContract, LeavesNothingOfAnIngestThatIsGivenUp) {
  {
    auto ingest = store_->BeginIngest();
    ASSERT_TRUE(ingest.ok()) << ingest.status();
    ASSERT_TRUE((*ingest)->Put(Family::kRecords, "a", "never").ok());
    EXPECT_TRUE(absl::IsInvalidArgument((*ingest)->Put(Family::kRecords, "a", "twice")));
  }
  EXPECT_THAT(Keys(*store_->View(), "", ""), IsEmpty());
  auto again = store_->BeginIngest();
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE((*again)->Put(Family::kRecords, "b", "").ok());
  ASSERT_TRUE((*again)->Commit().ok());
  EXPECT_THAT(Keys(*store_->View(), "", ""), ElementsAre("b"));
}

INSTANTIATE_TEST_SUITE_P(
    Media, OrderedStoreContract,
    ::testing::Values(
        Medium{"Memory", [](const std::string&) { return std::make_unique<MemoryOrderedStore>(); }},
        Medium{"Rocks",
               [](const std::string& directory) -> std::unique_ptr<OrderedStore> {
                 auto store = RocksOrderedStore::Create(directory);
                 EXPECT_TRUE(store.ok()) << store.status();
                 return *std::move(store);
               }}),
    [](const ::testing::TestParamInfo<Medium>& medium) { return medium.param.name; });

TEST(RocksOrderedStoreTest, NamesWhatIsWrongWithTheDirectory) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/db";
  EXPECT_TRUE(absl::IsNotFound(RocksOrderedStore::Open(path).status()));
  const auto store = RocksOrderedStore::Create(path);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(RocksOrderedStore::Open(path).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(RocksOrderedStoreTest, RemovesWhatABrokenOffIngestLeft) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/db";
  ASSERT_TRUE(RocksOrderedStore::Create(path).ok());
  ASSERT_TRUE(std::filesystem::create_directory(path + "/ingest"));
  std::ofstream(path + "/ingest/1.sst") << "half of a table";
  const auto store = RocksOrderedStore::Open(path);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_FALSE(std::filesystem::exists(path + "/ingest"));
}

TEST(RocksOrderedStoreTest, HasWhatWasIngestedWhenItIsOpenedAgain) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/db";
  {
    const auto store = RocksOrderedStore::Create(path);
    ASSERT_TRUE(store.ok()) << store.status();
    WriteSet first;
    first.Put(Family::kState, "state", "old");
    ASSERT_TRUE((*store)->Write(first).ok());
    auto ingest = (*store)->BeginIngest();
    ASSERT_TRUE(ingest.ok()) << ingest.status();
    ASSERT_TRUE((*ingest)->Put(Family::kState, "state", "new").ok());
    ASSERT_TRUE((*ingest)->Put(Family::kRecords, "a", "value").ok());
    ASSERT_TRUE((*ingest)->Commit().ok());
  }
  const auto store = RocksOrderedStore::Open(path);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(*(*store)->View()->Get(Family::kState, "state"), "new");
  EXPECT_EQ(*(*store)->View()->Get(Family::kRecords, "a"), "value");
}

}  // namespace
}  // namespace sluice
