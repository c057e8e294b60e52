// A parity check over the exchange that serves it: by items it finds what it finds by keys.
#include "downstream/parity_check.h"

#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_content_store.h"
#include "tests/downstream/exchange_peer.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

class ParityCheckTest : public ::testing::Test {
 protected:
  struct Result {
    v1::CheckSummary summary;
    std::vector<std::string> findings;
    int asked_keys = 0;
  };

  Result Check(bool by_items) {
    MemoryContentStore content;
    ManualClock clock(absl::FromUnixSeconds(1'700'000'000));
    ParityCheck check(*here_, content, clock);
    ExchangePeer peer(*upstream_, here_->node_id(), by_items);
    Result result;
    const auto summary = check.Run(peer, {}, [&](const v1::Finding& finding) {
      v1::Finding timeless = finding;
      timeless.clear_times_seen();
      result.findings.push_back(timeless.ShortDebugString());
    });
    EXPECT_TRUE(summary.ok()) << summary.status();
    if (summary.ok()) result.summary = *summary;
    result.asked_keys = peer.asked_keys;
    return result;
  }

  void Add(TestCatalog& catalog, int i, int edition, int product) {
    catalog.AddUpdate({.name = absl::StrCat("u", i),
                       .title = absl::StrCat("edition ", edition),
                       .product = absl::StrCat("Contoso/Product", product)});
  }

  TestCatalog here_;
  TestCatalog upstream_;
};

TEST_F(ParityCheckTest, FindsByItemsWhatItFindsByKeys) {
  std::mt19937_64 random(21);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int i = 0; i < 60; ++i) {
    for (TestCatalog* const catalog : {&here_, &upstream_}) Add(*catalog, i, 0, i % 3);
  }
  std::map<int32_t, int> seen;
  for (int round = 0; round < 60; ++round) {
    TestCatalog& catalog = pick(2) == 0 ? here_ : upstream_;
    switch (pick(4)) {
      case 0:
        catalog.Approve(absl::StrCat("u", pick(60)));
        break;
      case 1:
        catalog.Decline(absl::StrCat("u", pick(60)));
        break;
      default: {
        // Also under another product: its policy moves to another shard. One draw a statement, so
        // that every compiler draws the same.
        const int product = pick(3);
        const int build = pick(4);
        Add(catalog, pick(100), build, product);
      }
    }
    const Result by_items = Check(true);
    const Result by_keys = Check(false);
    ASSERT_EQ(by_items.findings, by_keys.findings) << "round " << round;
    ASSERT_EQ(by_items.asked_keys, 0) << "round " << round;
    ASSERT_EQ(by_items.summary.in_parity(), by_keys.summary.in_parity());
    for (int i = 0; i < by_items.summary.findings_by_class_size(); ++i) {
      if (by_items.summary.findings_by_class(i) > 0) ++seen[i];
    }
  }
  EXPECT_GT(seen[v1::FINDING_CLASS_MISSING_UPSTREAM], 10);
  EXPECT_GT(seen[v1::FINDING_CLASS_MISSING_DOWNSTREAM], 10);
  EXPECT_GT(seen[v1::FINDING_CLASS_REVISION_DIFFERS], 10);
  EXPECT_GT(seen[v1::FINDING_CLASS_HEADER_MISMATCH], 0);
  EXPECT_GT(seen[v1::FINDING_CLASS_APPROVAL_MISSING], 10);
  EXPECT_GT(seen[v1::FINDING_CLASS_DECLINE_MISMATCH], 10);
}

TEST_F(ParityCheckTest, CostsWhatDiffers) {
  for (int i = 0; i < 1000; ++i) {
    Add(upstream_, i, 0, 0);
    if (i % 100 != 7) Add(here_, i, 0, 0);
  }
  const Result by_items = Check(true);
  EXPECT_EQ(by_items.findings.size(), 10U);
  EXPECT_LT(by_items.summary.wire_bytes(), 4'000);
  EXPECT_GT(Check(false).summary.wire_bytes(), 80'000);
}

}  // namespace
}  // namespace sluice
