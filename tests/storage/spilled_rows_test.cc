#include "storage/spilled_rows.h"

#include <filesystem>
#include <map>
#include <string>

#include "gtest/gtest.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

// Rows of several heaps in turn, far more than memory holds.
TEST(SpilledRowsTest, GivesBackEachHeapInItsOrder) {
  const TemporaryDirectory directory;
  for (const std::string& where : {std::string(), directory.path()}) {
    SpilledRows rows(where, /*memory_bytes_max=*/1000);
    std::map<size_t, std::string> expected;
    for (int i = 0; i < 5000; ++i) {
      const size_t heap = static_cast<size_t>(i * i % 7);
      const std::string row = std::to_string(i) + ";";
      expected[heap] += row;
      ASSERT_TRUE(rows.Add(heap, row).ok());
    }
    for (size_t heap = 0; heap < rows.heaps(); ++heap) {
      EXPECT_EQ(*rows.Take(heap), expected[heap]) << heap;
      EXPECT_EQ(*rows.Take(heap), "");
    }
    EXPECT_EQ(*rows.Take(1000), "");
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(SpilledRowsTest, SaysWhereItCouldNotSpill) {
  SpilledRows rows("/nowhere/at/all", /*memory_bytes_max=*/3);
  EXPECT_TRUE(rows.Add(0, "abc").ok());
  const absl::Status full = rows.Add(0, "d");
  EXPECT_FALSE(full.ok());
  EXPECT_NE(full.message().find("/nowhere/at/all"), std::string::npos) << full;
}

}  // namespace
}  // namespace sluice
