#include "upstream/update_walk.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/update_index.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

constexpr int kCommon = 100;

class UpdateWalkTest : public ::testing::Test {
 protected:
  UpdateWalkTest() {
    for (const char* product : {"Common", "Rare"}) catalog_.AddProduct(product);
    for (int i = 0; i < kCommon; ++i) {
      catalog_.AddUpdate({.name = absl::StrCat("common", i), .product = "Common"});
    }
    for (const char* name : {"rare0", "rare1"}) {
      catalog_.AddUpdate({.name = name, .product = "Rare"});
      catalog_.AddUpdate({.name = name, .title = "second", .product = "Rare"});
    }
  }

  UpdateWalk Walk(const CatalogReader& reader, v1::UpdateState state, const char* product) {
    v1::Subscription subscription;
    if (product != nullptr) subscription.add_products(product);
    return *UpdateWalk::Make(reader, state, *Selection::Expand(reader, subscription));
  }

  // All that a walk finds, so many at a time.
  static std::vector<Uuid> All(const UpdateWalk& walk, int at_once) {
    std::vector<Uuid> ids;
    while (true) {
      const auto found = walk.Next(ids.empty() ? Uuid() : ids.back(), at_once);
      EXPECT_TRUE(found.ok()) << found.status();
      if (!found.ok() || found->empty()) return ids;
      for (const RecordColumns& current : *found) ids.push_back(current.key.id);
    }
  }

  static std::vector<Uuid> Sorted(const std::vector<std::string>& names) {
    std::vector<Uuid> ids;
    for (const std::string& name : names) ids.push_back(UpdateIdOf(name));
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  TestCatalog catalog_;
};

TEST_F(UpdateWalkTest, GoesThroughAllHeadersOnceInTheOrderOfIds) {
  const CatalogReader reader = catalog_.Read();
  const UpdateWalk walk = Walk(reader, v1::UPDATE_STATE_UNSPECIFIED, nullptr);
  EXPECT_EQ(walk.way(), UpdateWalk::Way::kHeaders);
  std::vector<std::string> names = {"rare0", "rare1"};
  for (int i = 0; i < kCommon; ++i) names.push_back(absl::StrCat("common", i));
  EXPECT_THAT(All(walk, 7), ElementsAreArray(Sorted(names)));
}

TEST_F(UpdateWalkTest, TakesTheShardsOfARareProduct) {
  const CatalogReader reader = catalog_.Read();
  const UpdateWalk walk = Walk(reader, v1::UPDATE_STATE_UNSPECIFIED, "Rare");
  EXPECT_EQ(walk.way(), UpdateWalk::Way::kShards);
  for (const int at_once : {1, 2, 500}) {
    EXPECT_THAT(All(walk, at_once), ElementsAreArray(Sorted({"rare0", "rare1"})));
  }
  EXPECT_EQ(walk.Next(Uuid(), 1)->front().header.title(), "second") << "the current revision";
}

TEST_F(UpdateWalkTest, TakesDecisionsWhereFewUpdatesAreDecided) {
  for (const char* name : {"common3", "common5", "rare1"}) catalog_.Approve(name);
  catalog_.Decline("common7");
  catalog_.Decline("common8");
  catalog_.ClearDecline("common8");
  const CatalogReader reader = catalog_.Read();
  const UpdateWalk approved = Walk(reader, v1::UPDATE_STATE_APPROVED, nullptr);
  EXPECT_EQ(approved.way(), UpdateWalk::Way::kDecisions);
  EXPECT_THAT(All(approved, 2), ElementsAreArray(Sorted({"common3", "common5", "rare1"})));
  EXPECT_THAT(All(Walk(reader, v1::UPDATE_STATE_DECLINED, nullptr), 2),
              ElementsAreArray(Sorted({"common7"})));
}

TEST_F(UpdateWalkTest, FindsWhatThisNodeKeepsToo) {
  CatalogChange change;
  change.Keep(catalog_.Read().CurrentRevision(UpdateIdOf("common1"))->key);
  catalog_.Commit(change);
  const CatalogReader reader = catalog_.Read();
  const std::vector<Uuid> all = All(Walk(reader, v1::UPDATE_STATE_UNSPECIFIED, nullptr), 500);
  EXPECT_EQ(all.size(), static_cast<size_t>(kCommon) + 2);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
}

TEST_F(UpdateWalkTest, EndsWhereNothingIsFound) {
  const CatalogReader reader = catalog_.Read();
  EXPECT_THAT(All(Walk(reader, v1::UPDATE_STATE_PENDING, nullptr), 10), IsEmpty());
  EXPECT_THAT(All(Walk(reader, v1::UPDATE_STATE_UNSPECIFIED, "Unknown"), 10), IsEmpty());
}

}  // namespace
}  // namespace sluice
