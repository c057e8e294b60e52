// At an autonomous node updates come from above and decisions are its own.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/content_wants.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "storage/selection.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class OwnPolicyTest : public ::testing::Test {
 protected:
  // What the node above has by that name.
  RecordKey Take(const UpdateFacts& facts) {
    CheckedRecord packed = PackRevision(MakeRevision(facts), ++number_).value();
    *packed.record.mutable_stamp() = Stamp{1, number_, above_}.ToProto();
    CatalogChange change;
    change.Accept(std::move(packed));
    const CommitOutcome outcome = catalog_.Commit(change);
    return outcome.changed.front();
  }

  void Leave(const RecordKey& key) {
    const RecordColumns columns = catalog_.Read().GetColumns(key).value();
    CatalogChange change;
    change.Leave(key, ShardId::FromBytes(columns.header.shard_id()).value());
    catalog_.Commit(change);
  }

  // The shard of the decisions about "a".
  ShardId PolicyShard() {
    const auto policy =
        catalog_.Read().GetColumns({v1::RECORD_KIND_POLICY, UpdateIdOf("a"), 0, {}});
    EXPECT_TRUE(policy.ok()) << policy.status();
    return ShardId::FromBytes(policy->header.shard_id()).value();
  }
  static ShardId ShardFor(const UpdateFacts& facts) {
    return ShardId::Of(ShardInStream(ShardOfRevision(MakeRevision(facts)), v1::STREAM_KIND_POLICY));
  }

  UpdateStanding Standing() { return StandingOf(catalog_.Read(), UpdateIdOf("a")).value(); }

  ~OwnPolicyTest() override {
    EXPECT_TRUE(CheckInvariants(catalog_.Read()).ok()) << CheckInvariants(catalog_.Read());
  }

  const Uuid above_ = Uuid::Random();
  uint32_t number_ = 0;
  TestCatalog catalog_{kNow, Uuid::Random(), v1::NODE_MODE_AUTONOMOUS};
};

TEST_F(OwnPolicyTest, FollowsItsUpdateToAnotherProduct) {
  Take({.name = "a", .product = "Contoso/Agent"});
  catalog_.Approve("a");
  EXPECT_EQ(PolicyShard(), ShardFor({.name = "a", .product = "Contoso/Agent"}));
  const RecordKey moved = Take({.name = "a", .product = "Contoso/Tool"});
  EXPECT_EQ(PolicyShard(), ShardFor({.name = "a", .product = "Contoso/Tool"}));
  Leave(moved);
  EXPECT_EQ(PolicyShard(), ShardFor({.name = "a", .product = "Contoso/Agent"}));
}

TEST_F(OwnPolicyTest, IsInactiveWhileItsUpdateIsNotHereAndInForceAgainAfterwards) {
  const UpdateFacts facts = {.name = "a", .contents = {"bytes"}};
  const RecordKey key = Take(facts);
  catalog_.Approve("a");
  ContentWants wants(
      *catalog_, [](const ContentInfo&) { return false; }, 1);
  const Selection everything = Selection::Expand(catalog_.Read(), {}).value();
  ASSERT_TRUE(wants.RecomputeAll(everything, kNow).ok());
  EXPECT_EQ(wants.wanted(), 1);

  Leave(key);
  ASSERT_TRUE(wants.Recompute(everything, {key}, kNow).ok());
  EXPECT_EQ(Standing().state, v1::UPDATE_STATE_INACTIVE);
  EXPECT_EQ(PolicyShard(), ShardFor(facts));
  EXPECT_EQ(wants.inactive_updates(), 1);
  EXPECT_EQ(wants.wanted(), 0);

  const RecordKey again = Take(facts);
  ASSERT_TRUE(wants.Recompute(everything, {again}, kNow).ok());
  EXPECT_EQ(Standing().state, v1::UPDATE_STATE_APPROVED);
  EXPECT_EQ(wants.inactive_updates(), 0);
  EXPECT_EQ(wants.wanted(), 1);
}

TEST_F(OwnPolicyTest, StaysItsOwnWhenTheRevisionIsKept) {
  const UpdateFacts facts = {.name = "a"};
  const RecordKey key = Take(facts);
  catalog_.Approve("a");
  CatalogChange change;
  change.Keep(key);
  catalog_.Commit(change);
  EXPECT_TRUE(Standing().current->key.kept());
  EXPECT_EQ(Standing().state, v1::UPDATE_STATE_APPROVED);
  EXPECT_EQ(PolicyShard(), ShardFor(facts));
}

TEST(AutonomousSelectionTest, TakesNoPolicyAndIsAnotherSelection) {
  TestCatalog catalog;
  const CatalogReader reader = catalog.Read();
  const Selection replica = Selection::Expand(reader, {}).value();
  const Selection autonomous = Selection::Expand(reader, {}, v1::NODE_MODE_AUTONOMOUS).value();
  EXPECT_NE(replica.hash(), autonomous.hash());
  std::vector<bool> taken;
  for (const v1::StreamKind stream :
       {v1::STREAM_KIND_CATALOG, v1::STREAM_KIND_POLICY, v1::STREAM_KIND_SITE}) {
    EXPECT_TRUE(replica.Matches(AlwaysShard(stream)));
    taken.push_back(autonomous.Matches(AlwaysShard(stream)));
  }
  EXPECT_THAT(taken, ElementsAre(true, false, true));
}

TEST(AutonomousSelectionTest, TakesWhatNodesAboveHoldBackWhateverTheProducts) {
  TestCatalog catalog;
  v1::Subscription subscription;
  subscription.add_products("Contoso/Agent");
  subscription.add_classifications("Updates");
  subscription.add_languages("de");
  const Selection narrow = Selection::Expand(catalog.Read(), subscription).value();
  EXPECT_TRUE(narrow.Matches(SiteShard(Uuid::Random())));
}

}  // namespace
}  // namespace sluice
