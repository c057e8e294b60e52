#include "storage/selection.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/payload.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

v1::Subscription Products(std::initializer_list<std::string> paths) {
  v1::Subscription subscription;
  subscription.mutable_products()->Add(paths.begin(), paths.end());
  return subscription;
}

Selection Expand(const TestCatalog& catalog, const v1::Subscription& subscription) {
  const absl::StatusOr<Selection> selection = Selection::Expand(catalog.Read(), subscription);
  EXPECT_TRUE(selection.ok()) << selection.status();
  return *selection;
}

v1::ShardDefinition ShardOf(const UpdateFacts& facts) {
  return ShardOfRevision(MakeRevision(facts));
}

TEST(SelectionTest, TakesEverythingWhenNothingIsNamed) {
  TestCatalog catalog;
  EXPECT_TRUE(Expand(catalog, {}).Matches(ShardOf({.name = "a", .product = "Any/Thing"})));
}

TEST(SelectionTest, TakesChildrenOfANamedProductWhenTheyExist) {
  TestCatalog catalog;
  const v1::ShardDefinition shard = ShardOf({.name = "a", .product = "Contoso/Agent/Beta"});
  const Selection before = Expand(catalog, Products({"Contoso"}));
  EXPECT_FALSE(before.Matches(shard));
  catalog.AddProduct("Contoso/Agent/Beta");
  const Selection after = Expand(catalog, Products({"Contoso"}));
  EXPECT_TRUE(after.Matches(shard));
  EXPECT_NE(before.hash(), after.hash());
}

TEST(SelectionTest, FollowsAProductThatMovesUnderANamedOne) {
  TestCatalog catalog;
  catalog.AddProduct("Contoso");
  catalog.AddProduct("Fabrikam/Tool");
  const v1::ShardDefinition shard = ShardOf({.name = "a", .product = "Fabrikam/Tool"});
  EXPECT_FALSE(Expand(catalog, Products({"Contoso"})).Matches(shard));
  catalog.AddProduct("Fabrikam/Tool", "Contoso");
  EXPECT_TRUE(Expand(catalog, Products({"Contoso"})).Matches(shard));
}

TEST(SelectionTest, MayNameAProductBeforeItExists) {
  TestCatalog catalog;
  const Selection selection = Expand(catalog, Products({"Contoso/Next"}));
  EXPECT_TRUE(selection.Matches(ShardOf({.name = "a", .product = "Contoso/Next"})));
  EXPECT_THAT(*UnmatchedNames(catalog.Read(), Products({"Contoso/Next"})),
              ElementsAre("Contoso/Next"));
}

TEST(SelectionTest, NarrowsByClassificationAndLanguageTogether) {
  TestCatalog catalog;
  v1::Subscription subscription;
  subscription.add_classifications("Security Updates");
  subscription.add_languages("de");
  const Selection selection = Expand(catalog, subscription);
  EXPECT_TRUE(selection.Matches(ShardOf({.name = "a", .contents = {"x"}, .languages = {"de"}})));
  EXPECT_TRUE(selection.Matches(ShardOf({.name = "a", .contents = {"x"}})));
  EXPECT_FALSE(selection.Matches(ShardOf({.name = "a", .contents = {"x"}, .languages = {"fr"}})));
  EXPECT_FALSE(selection.Matches(ShardOf({.name = "a", .classification = "Updates"})));
}

TEST(SelectionTest, AlwaysTakesWhatEverybodyNeeds) {
  TestCatalog catalog;
  EXPECT_TRUE(Expand(catalog, Products({"Contoso"})).Matches(AlwaysShard(v1::STREAM_KIND_CATALOG)));
}

TEST(SelectionTest, HasTheSameHashWhateverTheOrderOfNames) {
  TestCatalog catalog;
  EXPECT_EQ(Expand(catalog, Products({"A", "B"})).hash(),
            Expand(catalog, Products({"B", "A"})).hash());
  EXPECT_NE(Expand(catalog, Products({"A"})).hash(), Expand(catalog, {}).hash());
}

// A node that goes by fingerprints alone took a decision that had moved for one that had not.
TEST(SelectionFingerprintTest, ShowsARecordThatMovedToAnotherShard) {
  const auto with_product = [](absl::string_view product) {
    TestCatalog catalog;
    catalog.AddUpdate({.name = "a", .product = "Contoso/Agent"});
    catalog.AddUpdate({.name = "a", .product = "Fabrikam/Tool"});
    catalog.AddUpdate({.name = "a", .product = std::string(product)});
    catalog.Approve("a");
    return SelectionFingerprint(catalog.Read(), Expand(catalog, {}), Uuid()).value();
  };
  const Fingerprint agent = with_product("Contoso/Agent");
  const Fingerprint tool = with_product("Fabrikam/Tool");
  EXPECT_EQ(agent.count(), tool.count());
  EXPECT_NE(agent, tool);
}

TEST(SelectionFingerprintTest, CountsTheRecordsOfTheShardsThatAreTaken) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "a", .product = "Contoso/Agent"});
  catalog.AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  const CatalogReader reader = catalog.Read();
  const auto count = [&](const v1::Subscription& subscription) {
    return SelectionFingerprint(reader, Expand(catalog, subscription), Uuid())->count();
  };
  EXPECT_EQ(count({}), 2u);
  EXPECT_EQ(count(Products({"Contoso/Agent"})), 1u);
  EXPECT_EQ(count(Products({"Nobody"})), 0u);
}

}  // namespace
}  // namespace sluice
