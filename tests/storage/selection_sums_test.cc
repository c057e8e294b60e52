#include "storage/selection_sums.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/payload.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

v1::Subscription Products(const std::string& path) {
  v1::Subscription subscription;
  subscription.add_products(path);
  return subscription;
}

class SelectionSumsTest : public ::testing::Test {
 protected:
  // What the sums say must be what reading all shards says.
  void ExpectExact(SelectionSums& sums, const v1::Subscription& subscription,
                   const Uuid& keeper = Uuid()) {
    const CatalogReader reader = catalog_.Read();
    const absl::StatusOr<Selection> selection = Selection::Expand(reader, subscription);
    ASSERT_TRUE(selection.ok()) << selection.status();
    const absl::StatusOr<Fingerprint> exact = SelectionFingerprint(reader, *selection, keeper);
    const absl::StatusOr<Fingerprint> kept = sums.Of(reader, *selection, keeper);
    ASSERT_TRUE(exact.ok() && kept.ok());
    EXPECT_EQ(*kept, *exact);
  }

  TestCatalog catalog_;
};

TEST_F(SelectionSumsTest, FollowChangesOfEverySelection) {
  SelectionSums sums(*catalog_);
  v1::Subscription picking = Products("Contoso/Product 3");
  SetPicks({UpdateIdOf("update-5"), UpdateIdOf("update-6")}, picking);
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    const std::string name = absl::StrCat("update-", random() % 30);
    const std::string product = absl::StrCat("Contoso/Product ", random() % 4);
    catalog_.AddUpdate({.name = name, .title = absl::StrCat(i), .product = product});
    ExpectExact(sums, {});
    ExpectExact(sums, Products("Contoso/Product 1"));
    ExpectExact(sums, picking);
    if (i % 7 == 0) ExpectExact(sums, Products("Contoso/Product 2"), Uuid::Random());
  }
}

TEST_F(SelectionSumsTest, AnswerForAnOlderStateToo) {
  SelectionSums sums(*catalog_);
  catalog_.AddUpdate({.name = "a"});
  const CatalogReader before = catalog_.Read();
  const absl::StatusOr<Selection> everything = Selection::Expand(before, {});
  const absl::StatusOr<Fingerprint> exact = SelectionFingerprint(before, *everything, Uuid());
  catalog_.AddUpdate({.name = "b"});
  ExpectExact(sums, {});
  EXPECT_EQ(*sums.Of(before, *everything, Uuid()), *exact);
  ExpectExact(sums, {});
}

ShardStep StepOf(uint64_t count) {
  v1::Fingerprint fingerprint;
  fingerprint.set_count(count);
  fingerprint.set_sum(std::string(32, static_cast<char>(count)));
  return {ShardId(), {}, Fingerprint(), Fingerprint::FromProto(fingerprint).value()};
}

TEST(ShardStepsTest, KnowTheLastCommits) {
  ShardSteps steps(2);
  steps.Note(10, 12, {StepOf(1)});
  steps.Note(12, 13, {StepOf(2)});
  ASSERT_TRUE(steps.Between(10, 13).has_value());
  EXPECT_EQ(steps.Between(10, 13)->size(), 2u);
  EXPECT_EQ(steps.Between(12, 13)->size(), 1u);
  EXPECT_EQ(steps.Between(13, 13)->size(), 0u);
  EXPECT_FALSE(steps.Between(9, 13).has_value());
  EXPECT_FALSE(steps.Between(10, 14).has_value());
}

TEST(ShardStepsTest, ForgetTheOldestFirst) {
  ShardSteps steps(2);
  steps.Note(0, 1, {StepOf(1)});
  steps.Note(1, 2, {StepOf(2)});
  steps.Note(2, 3, {StepOf(3)});
  EXPECT_FALSE(steps.Between(0, 3).has_value());
  EXPECT_EQ(steps.Between(1, 3)->size(), 2u);
}

TEST(ShardStepsTest, ForgetAllWhereACommitIsMissing) {
  ShardSteps steps(100);
  steps.Note(0, 1, {StepOf(1)});
  steps.Note(5, 6, {StepOf(2)});
  EXPECT_FALSE(steps.Between(0, 6).has_value());
  EXPECT_EQ(steps.Between(5, 6)->size(), 1u);
}

}  // namespace
}  // namespace sluice
