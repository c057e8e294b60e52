// A parity check over the exchange that serves it: by items it finds what it finds by keys.
#include "downstream/parity_check.h"

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_content_store.h"
#include "tests/storage/test_catalog.h"
#include "upstream/reconcile_exchange.h"

namespace sluice {
namespace {

// The node above, in the same process.
class ExchangePeer : public ParityPeer {
 public:
  ExchangePeer(Catalog& upstream, const Uuid& caller, bool knows_items)
      : upstream_(upstream),
        exchange_(upstream,
                  [] {
                    return SipKey{1, 2};
                  }),
        caller_(caller),
        knows_items_(knows_items) {}

  absl::StatusOr<v1::HelloResponse> Hello() override {
    v1::HelloResponse hello;
    hello.set_node_id(upstream_.node_id().bytes());
    return hello;
  }
  absl::StatusOr<v1::ReconcileSums> Sums() override {
    v1::ReconcileRequest open;
    open.mutable_open()->set_node_id(caller_.bytes());
    EXPECT_TRUE(Send(open).ok());
    v1::ReconcileSums sums = Receive()->sums();
    sums.set_symbols(knows_items_);
    return sums;
  }
  absl::StatusOr<std::vector<v1::ShardKeys>> Keys(const std::vector<ShardId>& shards) override {
    v1::ReconcileRequest request;
    for (const ShardId& shard : shards) request.mutable_keys_wanted()->add_shard_ids(shard.bytes());
    EXPECT_TRUE(Send(request).ok());
    ++asked_keys;
    std::vector<v1::ShardKeys> keys;
    while (!answers_.empty()) keys.push_back(Receive()->keys());
    return keys;
  }
  absl::Status Send(const v1::ReconcileRequest& request) override {
    EXPECT_TRUE(answers_.empty());
    const auto responses = exchange_.Handle(request);
    if (!responses.ok()) return responses.status();
    answers_.assign(responses->begin(), responses->end());
    return absl::OkStatus();
  }
  absl::StatusOr<v1::ReconcileResponse> Receive() override {
    if (answers_.empty()) return absl::DeadlineExceededError("nothing more comes");
    v1::ReconcileResponse response = answers_.front();
    answers_.pop_front();
    bytes_ += static_cast<int64_t>(response.ByteSizeLong());
    return response;
  }
  int64_t wire_bytes() const override { return bytes_; }

  int asked_keys = 0;

 private:
  Catalog& upstream_;
  ReconcileExchange exchange_;
  const Uuid caller_;
  const bool knows_items_;
  std::deque<v1::ReconcileResponse> answers_;
  int64_t bytes_ = 0;
};

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
      result.findings.push_back(finding.ShortDebugString());
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
      default:
        // Also under another product: its policy moves to another shard.
        Add(catalog, pick(100), pick(4), pick(3));
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
  EXPECT_GT(seen[v1::FINDING_CLASS_DECISION_DIFFERS], 10);
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
