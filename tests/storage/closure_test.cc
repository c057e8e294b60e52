#include "storage/closure.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/dependents.h"
#include "storage/memory_ordered_store.h"
#include "storage/payload.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Selection SelectionOf(const TestCatalog& catalog, const std::vector<std::string>& products) {
  v1::Subscription subscription;
  subscription.mutable_products()->Add(products.begin(), products.end());
  return Selection::Expand(catalog.Read(), subscription).value();
}

class ClosureTest : public ::testing::Test {
 protected:
  std::vector<Uuid> Picks(const std::vector<std::string>& pins = {}) {
    std::vector<Uuid> ids;
    for (const std::string& pin : pins) ids.push_back(UpdateIdOf(pin));
    std::sort(ids.begin(), ids.end());
    const auto picks = PicksFor(catalog_.Read(), SelectionOf(catalog_, {"In"}), ids);
    EXPECT_TRUE(picks.ok()) << picks.status();
    return picks.value_or(std::vector<Uuid>());
  }

  TestCatalog catalog_;
};

TEST_F(ClosureTest, HoldsWhatIsNeededAndNotSelected) {
  catalog_.AddUpdate({.name = "a", .product = "In", .prerequisites = {"b", "c"}});
  catalog_.AddUpdate({.name = "b", .product = "In"});
  catalog_.AddUpdate({.name = "c", .product = "Out", .prerequisites = {"d"}});
  catalog_.AddUpdate({.name = "d", .product = "Out", .prerequisites = {"a", "c"}});
  catalog_.AddUpdate({.name = "e", .product = "Out", .prerequisites = {"f"}});
  EXPECT_THAT(Picks(), UnorderedElementsAre(UpdateIdOf("c"), UpdateIdOf("d")));
}

// A notice names its update and lies in a shard that everybody takes.
TEST_F(ClosureTest, HoldsNothingBecauseItIsHeldBack) {
  catalog_.AddUpdate({.name = "a", .product = "Out"});
  CatalogChange change;
  change.Originate(PackSiteNotice(MakeSuppression("a", catalog_->node_id())).value());
  catalog_.Commit(change);
  EXPECT_THAT(Picks(), IsEmpty());
  const absl::Status invariants = CheckInvariants(catalog_.Read());
  EXPECT_TRUE(invariants.ok()) << invariants;
}

TEST_F(ClosureTest, HoldsPinsAndWhatTheyNeed) {
  catalog_.AddUpdate({.name = "a", .product = "Out", .prerequisites = {"b"}});
  EXPECT_THAT(Picks({"a"}), UnorderedElementsAre(UpdateIdOf("a"), UpdateIdOf("b")));
  EXPECT_THAT(Picks({"nowhere"}), ElementsAre(UpdateIdOf("nowhere")));
}

TEST_F(ClosureTest, HoldsPinsAloneWhereEverythingIsSelected) {
  catalog_.AddUpdate({.name = "a", .product = "Out", .prerequisites = {"b"}});
  const std::vector<Uuid> pins = {UpdateIdOf("a")};
  EXPECT_EQ(*PicksFor(catalog_.Read(), SelectionOf(catalog_, {}), pins), pins);
}

// One that is brought up to date after each change says what one says that begins anew.
TEST_F(ClosureTest, SaysTheSameWhateverTheWay) {
  std::mt19937 random(1);
  const auto pick = [&random](int n) {
    return static_cast<int>(random() % static_cast<unsigned>(n));
  };
  constexpr int kUpdates = 15;
  const auto name = [](int i) { return absl::StrCat("u", i); };
  Closure followed;
  std::vector<Uuid> pins;
  std::vector<std::string> products = {"In"};
  for (int step = 0; step < 600; ++step) {
    if (pick(5) == 0) {
      const auto current = catalog_.Read().CurrentRevision(UpdateIdOf(name(pick(kUpdates))));
      if (current.ok()) {
        CatalogChange change;
        if (pick(2) == 0) {
          change.Delete(current->key);
        } else {
          change.Leave(current->key, *ShardId::FromBytes(current->header.shard_id()));
        }
        catalog_.Commit(change);
      }
    } else {
      UpdateFacts facts{.name = name(pick(kUpdates)), .title = absl::StrCat("t", pick(6))};
      facts.product = pick(2) == 0 ? "In" : absl::StrCat("Out", pick(2));
      for (int count = pick(3); count > 0; --count) {
        facts.prerequisites = {name(pick(kUpdates))};
      }
      catalog_.AddUpdate(facts);
    }
    if (pick(10) == 0) pins = {UpdateIdOf(name(pick(kUpdates)))};
    if (pick(40) == 0)
      products =
          pick(2) == 0 ? std::vector<std::string>{"In"} : std::vector<std::string>{"In", "Out1"};
    if (pick(3) == 0) continue;  // Several changes at once.
    const Selection selection = SelectionOf(catalog_, products);
    ASSERT_TRUE(followed.Update(catalog_.Read(), selection, pins).ok());
    ASSERT_EQ(followed.picks(), *PicksFor(catalog_.Read(), selection, pins)) << "step " << step;
  }
  const absl::Status books = CheckInvariants(catalog_.Read());
  EXPECT_TRUE(books.ok()) << books;
}

TEST_F(ClosureTest, IndexesTheStoreOfAnEarlierRelease) {
  catalog_.AddUpdate({.name = "a", .product = "In", .prerequisites = {"b"}});
  CatalogChange change;
  const auto cursor = catalog_.Read().view().Scan(Family::kDependents, "", "");
  for (; cursor->Valid(); cursor->Next()) change.DeleteRow(Family::kDependents, cursor->key());
  catalog_.Commit(change);
  ASSERT_THAT(Picks(), IsEmpty());
  ASSERT_TRUE(EnsureDependentsIndexed(*catalog_).ok());
  EXPECT_THAT(Picks(), ElementsAre(UpdateIdOf("b")));
  const uint64_t commits = catalog_.Read().State()->commits();
  ASSERT_TRUE(EnsureDependentsIndexed(*catalog_).ok());
  EXPECT_EQ(catalog_.Read().State()->commits(), commits);
}

}  // namespace
}  // namespace sluice
