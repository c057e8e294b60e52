#include "storage/rocks_ingest.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/rocks_ordered_store.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

class RocksIngestTest : public ::testing::Test {
 protected:
  // Takes some rows in.
  void Ingest() {
    const auto ingest = *store_->BeginIngest();
    for (const std::string key : {"a", "b", "c"}) {
      ASSERT_TRUE(ingest->Put(Family::kRecords, key, "value").ok());
    }
    const absl::Status committed = ingest->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
  }

  // The highest number of a row in the files of the records.
  uint64_t HighestNumber() {
    std::vector<rocksdb::LiveFileMetaData> files;
    store_->database().GetLiveFilesMetaData(&files);
    uint64_t highest = 0;
    for (const rocksdb::LiveFileMetaData& file : files) {
      if (file.column_family_name != FamilyName(Family::kRecords)) continue;
      highest = std::max(highest, file.largest_seqno);
    }
    return highest;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<RocksOrderedStore> store_ = *RocksOrderedStore::Create(directory_.path() + "/db");
};

// Rows had numbers, and a compaction rewrote every catalog that had just been taken in.
TEST_F(RocksIngestTest, GivesRowsNoNumberThatNobodyNeeds) {
  Ingest();
  EXPECT_TRUE(store_->View()->Get(Family::kRecords, "b").ok());
  EXPECT_EQ(HighestNumber(), 0u);
}

TEST_F(RocksIngestTest, HidesRowsFromAnOlderView) {
  WriteSet changes;
  changes.Put(Family::kSettings, "x", "y");
  ASSERT_TRUE(store_->Write(changes).ok());
  const std::shared_ptr<const OrderedView> older = store_->View();
  Ingest();
  EXPECT_TRUE(absl::IsNotFound(older->Get(Family::kRecords, "b").status()));
  EXPECT_FALSE(older->Scan(Family::kRecords, "", "")->Valid());
  EXPECT_TRUE(store_->View()->Get(Family::kRecords, "b").ok());
  EXPECT_GT(HighestNumber(), 0u);
}

}  // namespace
}  // namespace sluice
