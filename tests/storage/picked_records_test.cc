#include "storage/picked_records.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/payload.h"
#include "storage/selection_difference.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PickedRecordsTest : public ::testing::Test {
 protected:
  PickedRecordsTest() {
    catalog_.AddProduct("In");
    catalog_.AddProduct("Out");
  }

  Selection Select(const std::vector<std::string>& products,
                   const std::vector<std::string>& picks) {
    v1::Subscription subscription;
    subscription.mutable_products()->Add(products.begin(), products.end());
    std::vector<Uuid> ids;
    for (const std::string& pick : picks) ids.push_back(UpdateIdOf(pick));
    SetPicks(ids, subscription);
    return Selection::Expand(catalog_.Read(), subscription).value();
  }
  Fingerprint Sum(const Selection& selection) {
    return SelectionFingerprint(catalog_.Read(), selection, Uuid()).value();
  }

  TestCatalog catalog_;
};

TEST_F(PickedRecordsTest, TellsSelectionsApartByTheirPicks) {
  EXPECT_EQ(Select({"In"}, {}).hash(), Select({"In"}, {}).shards_hash());
  EXPECT_NE(Select({"In"}, {"a"}).hash(), Select({"In"}, {}).hash());
  EXPECT_EQ(Select({"In"}, {"a", "b"}).hash(), Select({"In"}, {"b", "a"}).hash());
  EXPECT_EQ(Select({"In"}, {"a"}).shards_hash(), Select({"In"}, {}).shards_hash());
}

TEST_F(PickedRecordsTest, RefusesMalformedIds) {
  v1::Subscription subscription;
  subscription.add_update_ids("short");
  EXPECT_TRUE(absl::IsInvalidArgument(Selection::Expand(catalog_.Read(), subscription).status()));
}

TEST_F(PickedRecordsTest, FindsAllRecordsAboutAnUpdateAndNoOthers) {
  catalog_.AddUpdate({.name = "a", .title = "1", .product = "Out"});
  catalog_.AddUpdate({.name = "a", .title = "2", .product = "Out"});
  catalog_.Approve("a");
  catalog_.AddUpdate({.name = "b", .product = "Out"});
  EXPECT_THAT(*RecordsAbout(catalog_.Read(), UpdateIdOf("a")), SizeIs(3));
  EXPECT_THAT(*RecordsAbout(catalog_.Read(), UpdateIdOf("c")), IsEmpty());
}

// So a node that holds what was picked compares it shard by shard as it compares all else.
TEST_F(PickedRecordsTest, SumsPickedRecordsAsAStoreDoesThatHoldsNothingElse) {
  catalog_.AddUpdate({.name = "a", .product = "Out"});
  const Fingerprint alone = Sum(Select({}, {}));
  catalog_.AddUpdate({.name = "b", .product = "Out"});
  EXPECT_EQ(Sum(Select({"In"}, {"a"})), alone);
  EXPECT_NE(Sum(Select({"In"}, {"b"})), alone);
  EXPECT_EQ(Sum(Select({"In", "Out"}, {"a"})), Sum(Select({"In", "Out"}, {})));
}

TEST_F(PickedRecordsTest, LeavesOutWhatTheExcludedKeeperKeeps) {
  const RecordKey key = catalog_.AddUpdate({.name = "a", .product = "Out"});
  CatalogChange change;
  change.Keep(key);
  catalog_.Commit(change);
  const Selection selection = Select({"In"}, {"a"});
  EXPECT_THAT(*FindPicked(catalog_.Read(), selection, Uuid()), SizeIs(1));
  EXPECT_THAT(*FindPicked(catalog_.Read(), selection, catalog_->node_id()), IsEmpty());
}

// It decides itself.
TEST_F(PickedRecordsTest, PicksNoDecisionsForAnAutonomousNode) {
  catalog_.AddUpdate({.name = "a", .product = "Out"});
  v1::Subscription subscription;
  subscription.add_products("In");
  SetPicks({UpdateIdOf("a")}, subscription);
  const auto sum = [&] {
    const CatalogReader reader = catalog_.Read();
    return Sum(Selection::Expand(reader, subscription, v1::NODE_MODE_AUTONOMOUS).value());
  };
  const Fingerprint undecided = sum();
  EXPECT_EQ(undecided, Sum(Select({"In"}, {"a"})));
  catalog_.Approve("a");
  EXPECT_EQ(sum(), undecided);
  EXPECT_NE(sum(), Sum(Select({"In"}, {"a"})));
}

TEST_F(PickedRecordsTest, KeepsItsSumsUpToDate) {
  std::mt19937 random(1);
  const auto pick = [&random](int n) {
    return static_cast<int>(random() % static_cast<unsigned>(n));
  };
  const Selection selection = Select({"In"}, {"u0", "u1", "u2", "u3"});
  PickedSums followed;
  ASSERT_TRUE(followed.LookAtAll(catalog_.Read(), selection, Uuid()).ok());
  absl::flat_hash_set<Uuid> changed;
  for (int step = 0; step < 300; ++step) {
    const std::string name = absl::StrCat("u", pick(6));
    const auto current = catalog_.Read().CurrentRevision(UpdateIdOf(name));
    if (current.ok() && pick(3) == 0) {
      CatalogChange change;
      change.Delete(current->key);
      catalog_.Commit(change);
    } else {
      catalog_.AddUpdate({.name = name,
                          .title = absl::StrCat("t", pick(5)),
                          .product = pick(2) == 0 ? "In" : absl::StrCat("Out", pick(2))});
    }
    if (selection.picks().contains(UpdateIdOf(name))) changed.insert(UpdateIdOf(name));
    if (pick(2) == 0) continue;
    ASSERT_TRUE(followed.Look(catalog_.Read(), selection, Uuid(), changed).ok());
    changed.clear();
    PickedSums anew;
    ASSERT_TRUE(anew.LookAtAll(catalog_.Read(), selection, Uuid()).ok());
    ASSERT_EQ(followed.sums(), anew.sums()) << "step " << step;
  }
}

class SelectionDifferenceTest : public PickedRecordsTest {
 protected:
  UpdateDifference Compare(const Selection& before, const Selection& after) {
    const auto difference = CompareSelections(catalog_.Read(), before, after, Uuid());
    EXPECT_TRUE(difference.ok()) << difference.status();
    return difference.value_or(UpdateDifference());
  }
};

TEST_F(SelectionDifferenceTest, NamesUpdatesThatComeAndGo) {
  catalog_.AddUpdate({.name = "in", .product = "In"});
  catalog_.AddUpdate({.name = "out", .title = "1", .product = "Out"});
  catalog_.AddUpdate({.name = "out", .title = "2", .product = "Out"});
  const UpdateDifference difference = Compare(Select({"In"}, {}), Select({"Out"}, {}));
  EXPECT_THAT(difference.gained, ElementsAre(UpdateIdOf("out")));
  EXPECT_THAT(difference.lost, ElementsAre(UpdateIdOf("in")));
}

TEST_F(SelectionDifferenceTest, CountsNothingThatIsPickedOrHasARevisionElsewhere) {
  catalog_.AddUpdate({.name = "moved", .title = "1", .product = "In"});
  catalog_.AddUpdate({.name = "moved", .title = "2", .product = "Out"});
  catalog_.AddUpdate({.name = "picked", .product = "Out"});
  EXPECT_THAT(Compare(Select({"In"}, {"picked"}), Select({"In", "Out"}, {})).gained, IsEmpty());
  EXPECT_THAT(Compare(Select({"In", "Out"}, {}), Select({"In"}, {"picked"})).lost, IsEmpty());
  EXPECT_THAT(Compare(Select({"In"}, {}), Select({"In"}, {"picked", "nowhere"})).gained,
              ElementsAre(UpdateIdOf("picked")));
}

TEST_F(SelectionDifferenceTest, CountsBytesOfApprovedFilesThatNobodyWantsYet) {
  catalog_.AddUpdate({.name = "in", .product = "In", .contents = {"shared"}});
  catalog_.AddUpdate({.name = "a", .product = "Out", .contents = {"shared", "own bytes"}});
  catalog_.AddUpdate({.name = "b", .product = "Out", .contents = {"of nobody"}});
  catalog_.Approve("in");
  catalog_.Approve("a");
  const Selection after = Select({}, {});
  v1::SelectionDifference description;
  ASSERT_TRUE(
      DescribeGained(catalog_.Read(), Compare(Select({"In"}, {}), after), after, true, description)
          .ok());
  EXPECT_EQ(description.updates_gained(), 2);
  EXPECT_EQ(description.approvals_gained(), 1);
  EXPECT_EQ(description.bytes_to_fetch(), 9);
  EXPECT_THAT(description.titles_gained(), SizeIs(2));
}

// It would neither be offered nor fetched.
TEST_F(SelectionDifferenceTest, CountsNoApprovalOfWhatANodeHides) {
  catalog_.AddUpdate({.name = "a", .product = "Out", .contents = {"own bytes"}});
  catalog_.Approve("a");
  CatalogChange change;
  change.Originate(PackSiteNotice(MakeSuppression("a", catalog_->node_id())).value());
  catalog_.Commit(change);
  const Selection narrow = Select({"In"}, {});
  const Selection wide = Select({}, {});
  v1::SelectionDifference description;
  ASSERT_TRUE(DescribeGained(catalog_.Read(), Compare(narrow, wide), wide, true, description).ok());
  ASSERT_TRUE(DescribeLost(
                  catalog_.Read(), Compare(wide, narrow),
                  [](const ContentInfo& /*file*/) { return false; }, description)
                  .ok());
  EXPECT_EQ(description.updates_gained(), 1);
  EXPECT_EQ(description.approvals_gained(), 0);
  EXPECT_EQ(description.bytes_to_fetch(), 0);
  EXPECT_EQ(description.updates_lost(), 1);
  EXPECT_EQ(description.approvals_inactive(), 0);
}

TEST_F(SelectionDifferenceTest, CountsBytesOfPresentFilesThatNothingElseNames) {
  catalog_.AddUpdate({.name = "in", .product = "In", .contents = {"shared"}});
  catalog_.AddUpdate(
      {.name = "a", .product = "Out", .contents = {"shared", "own bytes", "absent"}});
  catalog_.Approve("a");
  v1::SelectionDifference description;
  ASSERT_TRUE(DescribeLost(
                  catalog_.Read(), Compare(Select({}, {}), Select({"In"}, {})),
                  [](const ContentInfo& file) { return file.digest != Digest::Of("absent"); },
                  description)
                  .ok());
  EXPECT_EQ(description.updates_lost(), 1);
  EXPECT_EQ(description.approvals_inactive(), 1);
  EXPECT_EQ(description.bytes_to_free(), 9);
  EXPECT_THAT(description.titles_lost(), ElementsAre("a"));
}

}  // namespace
}  // namespace sluice
