// What a node without a catalog does: it loads its upstream's in one piece, where that can be had.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/payload.h"
#include "tests/downstream/engine_bench.h"
#include "tests/storage/catalog_invariants.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class SyncEngineLoadTest : public ::testing::Test {
 protected:
  SyncEngineLoadTest() {
    bench_.upstream_loads = true;
    bench_.upstream().AddProduct("Contoso/Agent");
    for (int i = 0; i < 30; ++i) {
      bench_.upstream().AddUpdate({.name = "update " + std::to_string(i), .contents = {"bytes"}});
    }
  }

  void ExpectAllIsHere() {
    EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
    EXPECT_EQ(bench_.LastSession().counts().revisions(), 30);
    EXPECT_EQ(bench_.Ours(), bench_.Theirs());
    EXPECT_EQ(bench_.Cursor().seq(), bench_.upstream()->durable_head());
    const absl::Status invariants = CheckInvariants(bench_.catalog().Read());
    EXPECT_TRUE(invariants.ok()) << invariants;
  }

  EngineBench bench_;
};

TEST_F(SyncEngineLoadTest, LoadsTheCatalogAndThenFollowsIt) {
  bench_.Start();
  EXPECT_EQ(bench_.Count<OpenLoad>(), 1u);
  EXPECT_TRUE(bench_.engine().watching());
  ExpectAllIsHere();
  EXPECT_THAT(bench_.LastSession().summary(), HasSubstr("in one piece"));
  EXPECT_GT(bench_.LastSession().counts().record_bytes(), 0);
  // The tail began where the load ended.
  ASSERT_EQ(bench_.Count<OpenChanges>(), 1u);
  EXPECT_EQ(bench_.All<OpenChanges>()[0].request.cursor().seq(), bench_.Cursor().seq());
  bench_.upstream().AddUpdate({.name = "later"});
  bench_.Run();
  EXPECT_TRUE(bench_.Has("later"));
}

TEST_F(SyncEngineLoadTest, FetchesWhatTheLoadedDecisionsAskFor) {
  bench_.OfferFile("bytes");
  bench_.upstream().Approve("update 3");
  bench_.Start();
  ExpectAllIsHere();
  EXPECT_TRUE(bench_.files.contains(Digest::Of("bytes")));
  EXPECT_EQ(bench_.LastSession().counts().files(), 1);
}

TEST_F(SyncEngineLoadTest, TakesOnlyWhatItsSubscriptionSays) {
  bench_.upstream().AddProduct("Fabrikam/Tool");
  bench_.upstream().AddUpdate({.name = "other", .product = "Fabrikam/Tool"});
  bench_.Subscribe(SubscriptionTo({"Contoso"}));
  bench_.Start();
  EXPECT_FALSE(bench_.Has("other"));
  ExpectAllIsHere();
}

TEST_F(SyncEngineLoadTest, LoadsInOnePieceAndThenTakesWhatItPicks) {
  bench_.upstream().AddProduct("Fabrikam/Tool");
  bench_.upstream().AddUpdate({.name = "pinned", .product = "Fabrikam/Tool"});
  bench_.upstream().AddUpdate({.name = "other", .product = "Fabrikam/Tool"});
  v1::Subscription subscription = SubscriptionTo({"Contoso"});
  SetPicks({UpdateIdOf("pinned")}, subscription);
  bench_.Subscribe(subscription);
  bench_.Start();
  EXPECT_THAT(bench_.LastSession().summary(), HasSubstr("in one piece"));
  EXPECT_TRUE(bench_.Has("pinned"));
  EXPECT_FALSE(bench_.Has("other"));
  EXPECT_EQ(bench_.LastSession().counts().revisions(), 31);
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0u);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
  const absl::Status invariants = CheckInvariants(bench_.catalog().Read());
  EXPECT_TRUE(invariants.ok()) << invariants;
}

TEST_F(SyncEngineLoadTest, AsksAnOlderUpstreamForTheLogInstead) {
  bench_.upstream_loads = false;
  bench_.Start();
  EXPECT_EQ(bench_.Count<OpenLoad>(), 1u);
  EXPECT_EQ(bench_.All<OpenChanges>()[0].request.cursor().seq(), 0u);
  ExpectAllIsHere();
}

TEST_F(SyncEngineLoadTest, TakesRecordsOneByOneWhenTheLoadIsNotSound) {
  int packs = 0;
  bench_.alter_load = [&](v1::LoadResponse& response) {
    if (response.has_pack() && ++packs == 3) response.mutable_pack()->mutable_records()->pop_back();
  };
  bench_.Start();
  ExpectAllIsHere();
  EXPECT_THAT(bench_.LastSession().summary(), HasSubstr("one by one because"));
}

TEST_F(SyncEngineLoadTest, DoesNotBelieveALoadThatAddsUpToSomethingElse) {
  // Two whole packs are gone, and all that is left is sound.
  int packs = 0;
  bench_.alter_load = [&](v1::LoadResponse& response) {
    if (!response.has_pack() || (++packs != 3 && packs != 4)) return;
    response.mutable_pack()->clear_records();
    response.mutable_pack()->clear_count();
  };
  bench_.Start();
  ExpectAllIsHere();
  EXPECT_THAT(bench_.LastSession().summary(), HasSubstr("fingerprint"));
}

TEST_F(SyncEngineLoadTest, BeginsAnewAfterALoadThatBroke) {
  bench_.intercept = [&](const EngineAction& action) {
    const auto* const open = std::get_if<OpenLoad>(&action);
    if (open == nullptr) return false;
    v1::LoadResponse begun;
    begun.mutable_open()->mutable_epoch()->CopyFrom(bench_.upstream()->epoch());
    bench_.TakeLater(LoadReceived{open->call, begun});
    bench_.TakeLater(LoadEnded{open->call, absl::UnavailableError("cut")});
    return true;
  };
  bench_.Start();
  EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_FAILED);
  EXPECT_TRUE(bench_.catalog().Read().Shards()->empty());
  bench_.intercept = [](const EngineAction&) { return false; };
  bench_.Advance(absl::Minutes(1));
  EXPECT_EQ(bench_.Count<OpenLoad>(), 2u);
  ExpectAllIsHere();
}

TEST_F(SyncEngineLoadTest, FollowsTheLogAfterLoadsThatAlwaysBreak) {
  bench_.intercept = [&](const EngineAction& action) {
    const auto* const open = std::get_if<OpenLoad>(&action);
    if (open == nullptr) return false;
    v1::LoadResponse begun;
    begun.mutable_open()->mutable_epoch()->CopyFrom(bench_.upstream()->epoch());
    bench_.TakeLater(LoadReceived{open->call, begun});
    bench_.TakeLater(LoadEnded{open->call, absl::UnavailableError("cut")});
    return true;
  };
  bench_.Start();
  bench_.Advance(absl::Minutes(30));
  EXPECT_EQ(bench_.Count<OpenLoad>(), 3u);
  ExpectAllIsHere();
}

TEST_F(SyncEngineLoadTest, HasNothingWhenItIsKilledBeforeTheLoadIsDurable) {
  // The write after those of the session's beginning is the load's.
  bench_.intercept = [&](const EngineAction& action) {
    if (std::holds_alternative<OpenLoad>(action)) bench_.store().FailWritesFrom(1);
    return false;
  };
  bench_.Start();
  EXPECT_TRUE(bench_.store().write_failed());
  EXPECT_TRUE(bench_.catalog().Read().Shards()->empty());
  bench_.intercept = [](const EngineAction&) { return false; };
  bench_.Restart();
  ExpectAllIsHere();
}

TEST_F(SyncEngineLoadTest, NeverLoadsIntoACatalogThatHoldsSomething) {
  bench_.Start();
  bench_.Restart();
  bench_.upstream().AddUpdate({.name = "later"});
  bench_.Run();
  EXPECT_EQ(bench_.Count<OpenLoad>(), 1u);
  EXPECT_TRUE(bench_.Has("later"));
}

}  // namespace
}  // namespace sluice
