// A node's catalog against its upstream's, over the exchange that serves it.
#include "downstream/item_comparison.h"

#include <deque>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/record_items.h"
#include "tests/storage/test_catalog.h"
#include "upstream/reconcile_exchange.h"

namespace sluice {
namespace {

using Next = ItemComparison::Next;

std::vector<ShardId> ShardsOf(const CatalogReader& reader) {
  const absl::StatusOr<std::vector<ShardInfo>> shards = reader.Shards();
  EXPECT_TRUE(shards.ok()) << shards.status();
  std::vector<ShardId> ids;
  if (!shards.ok()) return ids;
  for (const ShardInfo& shard : *shards) ids.push_back(shard.id);
  return ids;
}

// A fact as both sides name it, in words.
std::string NameOf(const ShardMember& member) {
  RecordKey key = member.key;
  key.revision = 0;
  return absl::StrCat(key.ToString(), " ", member.digest.ToHex());
}

std::set<std::string> NamesOf(const std::vector<ItemComparison::Placed>& records) {
  std::set<std::string> names;
  for (const auto& [shard, member] : records) names.insert(NameOf(member));
  return names;
}

std::set<std::string> AllNames(const CatalogReader& reader) {
  std::set<std::string> names;
  const absl::Status read = ForEachMember(
      reader, ShardsOf(reader),
      [&](const ShardId& /*shard*/, const ShardMember& member) { names.insert(NameOf(member)); });
  EXPECT_TRUE(read.ok()) << read;
  return names;
}

std::set<std::string> Less(const std::set<std::string>& from, const std::set<std::string>& what) {
  std::set<std::string> rest = from;
  for (const std::string& name : what) rest.erase(name);
  return rest;
}

class ItemComparisonTest : public ::testing::Test {
 protected:
  // Adds updates `first` to `end` - 1, as `edition`.
  static void Add(TestCatalog& catalog, int first, int end, absl::string_view edition = "1") {
    for (int i = first; i < end; ++i) {
      catalog.AddUpdate({.name = absl::StrCat("u", i),
                         .title = absl::StrCat("edition ", edition),
                         .product = absl::StrCat("Contoso/Product", i % 3)});
    }
  }

  // Runs a comparison to its end. `alter` may change what the upstream says.
  absl::StatusOr<Next> Compare(
      ItemComparison::Options options = {.scope = ItemScope::kFact},
      const std::function<void(v1::ReconcileResponse&)>& alter = [](v1::ReconcileResponse&) {}) {
    ReconcileExchange exchange(*upstream_, [] { return SipKey{1, 2}; });
    v1::ReconcileRequest open;
    open.mutable_open()->set_node_id(here_->node_id().bytes());
    const auto opened = exchange.Handle(open);
    EXPECT_TRUE(opened.ok() && opened->front().sums().symbols());
    std::vector<ShardId> there = ShardsOf(upstream_.Read());
    if (there.empty()) there = ShardsOf(here_.Read());
    comparison_.emplace(here_.Read(), ShardsOf(here_.Read()), there, options);
    Next next = comparison_->Begin();
    std::deque<v1::ReconcileResponse> answers;
    while (next == Next::kSend || next == Next::kWait) {
      if (next == Next::kSend) {
        EXPECT_TRUE(answers.empty()) << "asked before it had all answers";
        asked_.push_back(comparison_->request().step_case());
        bytes_ += comparison_->request().ByteSizeLong();
        auto responses = exchange.Handle(comparison_->request());
        if (!responses.ok()) return responses.status();
        answers.assign(responses->begin(), responses->end());
      }
      if (answers.empty()) return absl::DeadlineExceededError("waits for ever");
      v1::ReconcileResponse answer = answers.front();
      answers.pop_front();
      bytes_ += answer.ByteSizeLong();
      alter(answer);
      auto taken = comparison_->Take(answer);
      if (!taken.ok()) return taken.status();
      next = *taken;
    }
    return next;
  }

  void ExpectExact(const absl::StatusOr<Next>& outcome) {
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    ASSERT_EQ(*outcome, Next::kDone);
    const std::set<std::string> here = AllNames(here_.Read());
    const std::set<std::string> there = AllNames(upstream_.Read());
    EXPECT_EQ(NamesOf(comparison_->only_here()), Less(here, there));
    EXPECT_EQ(NamesOf(comparison_->only_there()), Less(there, here));
  }

  // Whether a comparison needs another step depends a little on the items, so they are always the
  // same.
  TestCatalog here_{absl::FromUnixSeconds(1'700'000'000), Uuid::FromName({}, "here")};
  TestCatalog upstream_{absl::FromUnixSeconds(1'700'000'000), Uuid::FromName({}, "upstream")};
  std::optional<ItemComparison> comparison_;
  std::vector<v1::ReconcileRequest::StepCase> asked_;
  size_t bytes_ = 0;
};

TEST_F(ItemComparisonTest, FindsThatNothingDiffersInOneRequest) {
  Add(upstream_, 0, 40);
  Add(here_, 0, 40);
  ExpectExact(Compare());
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(ItemComparisonTest, FindsRecordsOfEitherSideAndOtherEditions) {
  Add(upstream_, 0, 60);
  Add(here_, 5, 60);
  Add(here_, 100, 107);
  Add(here_, 50, 53, "2");
  Add(upstream_, 30, 31, "3");
  upstream_.Approve("u20");
  ExpectExact(Compare());
  EXPECT_FALSE(comparison_->only_there().front().second.digest.is_zero());
  ExpectExact(Compare());  // Under another key.
}

TEST_F(ItemComparisonTest, CostsWhatDiffersAndNotWhatIsThere) {
  Add(upstream_, 0, 1500);
  Add(here_, 0, 1495);
  ExpectExact(Compare());
  EXPECT_LT(bytes_, 3000U);  // All keys are 140,000.
}

TEST_F(ItemComparisonTest, AsksForAllItemsWhenMostDiffers) {
  Add(upstream_, 0, 600);
  Add(here_, 300, 900);
  ExpectExact(Compare());
  EXPECT_THAT(asked_, ::testing::ElementsAre(v1::ReconcileRequest::kSymbolsWanted,
                                             v1::ReconcileRequest::kItemListWanted,
                                             v1::ReconcileRequest::kItemKeysWanted));
}

TEST_F(ItemComparisonTest, GivesUpWhenNearlyAllDiffers) {
  Add(upstream_, 0, 600);
  Add(here_, 0, 600);
  // The two originated the same facts, each with stamps of its own.
  const absl::StatusOr<Next> outcome = Compare({.scope = ItemScope::kPlaced});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(*outcome, Next::kGiveUp);
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(ItemComparisonTest, AsksOnWithSymbolsWhenSomeDiffers) {
  Add(upstream_, 0, 1000);
  Add(here_, 200, 1000);
  ExpectExact(Compare());
  EXPECT_THAT(asked_,
              ::testing::Contains(v1::ReconcileRequest::kSymbolsWanted).Times(::testing::Gt(1)));
  EXPECT_THAT(asked_, ::testing::Not(::testing::Contains(v1::ReconcileRequest::kItemListWanted)));
  EXPECT_LT(asked_.size(), 10U);
}

TEST_F(ItemComparisonTest, LeavesOutDigestsWhenTheyAreNotNeededAndProvesItStill) {
  Add(upstream_, 0, 40);
  Add(here_, 2, 41);
  const absl::StatusOr<Next> outcome = Compare({.scope = ItemScope::kFact, .brief = true});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(*outcome, Next::kDone);
  ASSERT_EQ(comparison_->only_there().size(), 2U);
  EXPECT_TRUE(comparison_->only_there()[0].second.digest.is_zero());
  EXPECT_GT(comparison_->only_there()[0].second.stamp.version, 0U);
  EXPECT_EQ(comparison_->only_here().size(), 1U);
}

TEST_F(ItemComparisonTest, ComparesWithANodeThatHasNothing) {
  Add(here_, 0, 30);
  ExpectExact(Compare());
}

TEST_F(ItemComparisonTest, SaysOfOneStateWhileTheUpstreamGoesOn) {
  Add(upstream_, 0, 60);
  Add(here_, 5, 60);
  const std::set<std::string> there = AllNames(upstream_.Read());
  int answers = 0;
  const absl::StatusOr<Next> outcome =
      Compare({.scope = ItemScope::kFact}, [&](v1::ReconcileResponse&) {
        Add(upstream_, 200 + answers, 201 + answers);
        Add(upstream_, answers, answers + 1, "later");
        ++answers;
      });
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(*outcome, Next::kDone);
  EXPECT_EQ(NamesOf(comparison_->only_there()), Less(there, AllNames(here_.Read())));
}

TEST_F(ItemComparisonTest, GivesUpWhenTheFingerprintsDoNotProveIt) {
  Add(upstream_, 0, 40);
  Add(here_, 0, 38);
  const absl::StatusOr<Next> other_sum =
      Compare({.scope = ItemScope::kFact}, [](v1::ReconcileResponse& response) {
        if (!response.symbols().has_fingerprint()) return;
        response.mutable_symbols()->mutable_fingerprint()->mutable_sum()->back() ^= 1;
      });
  ASSERT_TRUE(other_sum.ok()) << other_sum.status();
  EXPECT_EQ(*other_sum, Next::kGiveUp);

  const absl::StatusOr<Next> a_key_less =
      Compare({.scope = ItemScope::kFact}, [](v1::ReconcileResponse& response) {
        if (!response.has_item_keys()) return;
        response.mutable_item_keys()->mutable_shards(0)->mutable_records()->RemoveLast();
      });
  ASSERT_TRUE(a_key_less.ok()) << a_key_less.status();
  EXPECT_EQ(*a_key_less, Next::kGiveUp);
}

TEST_F(ItemComparisonTest, GivesUpWhenTheUpstreamHasTooMuch) {
  Add(upstream_, 0, 20);
  Add(here_, 0, 19);
  const absl::StatusOr<Next> outcome =
      Compare({.scope = ItemScope::kFact}, [](v1::ReconcileResponse& response) {
        if (response.has_symbols()) response.mutable_symbols()->clear_run();
      });
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(*outcome, Next::kGiveUp);
}

TEST_F(ItemComparisonTest, RefusesWhatItDidNotAskFor) {
  Add(upstream_, 0, 20);
  Add(here_, 0, 19);
  for (const bool list : {false, true}) {
    const absl::StatusOr<Next> outcome =
        Compare({.scope = ItemScope::kFact}, [&](v1::ReconcileResponse& response) {
          response.Clear();
          if (list) {
            response.mutable_item_list();
          } else {
            response.mutable_item_keys();
          }
        });
    EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInvalidArgument);
  }
  const absl::StatusOr<Next> endless =
      Compare({.scope = ItemScope::kFact}, [](v1::ReconcileResponse& response) {
        if (!response.has_symbols()) return;
        absl::StatusOr<SymbolRun> run = SymbolRun::Decode(response.symbols().run());
        ASSERT_TRUE(run.ok());
        run->symbols.resize(1000);
        for (CodedSymbol& symbol : run->symbols) symbol.count = 20;
        response.mutable_symbols()->set_run(run->Encode());
      });
  EXPECT_FALSE(endless.ok());
}

// Bytes that rot on the way, or a peer that lies: refused, given up, or exact.
TEST_F(ItemComparisonTest, IsNeverWrongWhateverIsDamaged) {
  Add(upstream_, 0, 40);
  Add(here_, 3, 42);
  std::mt19937_64 random(3);
  int exact = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    const absl::StatusOr<Next> outcome =
        Compare({.scope = ItemScope::kFact}, [&](v1::ReconcileResponse& response) {
          if (random() % 2 == 0) return;
          std::string bytes = response.SerializeAsString();
          bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
          v1::ReconcileResponse damaged;
          if (damaged.ParseFromString(bytes)) response = damaged;
        });
    if (!outcome.ok() || *outcome == Next::kGiveUp) continue;
    ++exact;
    // Stamps and numbers are not proven here; they come with the records.
    ASSERT_EQ(NamesOf(comparison_->only_here()).size(), comparison_->only_here().size());
    std::multiset<Digest> digests;
    for (const auto& [shard, member] : comparison_->only_there()) digests.insert(member.digest);
    std::multiset<Digest> expected;
    const std::set<std::string> here = AllNames(here_.Read());
    ASSERT_TRUE(ForEachMember(upstream_.Read(), ShardsOf(upstream_.Read()),
                              [&](const ShardId& /*shard*/, const ShardMember& member) {
                                if (here.count(NameOf(member)) == 0) {
                                  expected.insert(member.digest);
                                }
                              })
                    .ok());
    ASSERT_EQ(digests, expected) << "trial " << trial;
  }
  EXPECT_GT(exact, 100);
}

}  // namespace
}  // namespace sluice
