// What nodes above hold back arrives and takes effect; what this node holds back is its own.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/payload.h"
#include "storage/site_notices.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::Not;
using ::testing::SizeIs;

CatalogChange Notice(const v1::SiteNotice& notice) {
  CatalogChange change;
  change.Originate(PackSiteNotice(notice).value());
  return change;
}

// An upstream and a node below it that has the approved update "a" with one file.
class SyncEngineSiteTest : public ::testing::Test {
 protected:
  SyncEngineSiteTest() {
    bench_.upstream().AddUpdate({.name = "a", .contents = {"bytes"}});
    bench_.upstream().Approve("a");
    bench_.OfferFile("bytes");
  }

  const Uuid& upstream_id() { return (*bench_.upstream()).node_id(); }
  const Uuid& self() { return bench_.catalog().node_id(); }

  size_t Notices() { return bench_.catalog().Read().List(v1::RECORD_KIND_SITE, "", 100)->size(); }
  bool IsHeldBack(absl::string_view update = "a") {
    return HeldBack(bench_.catalog().Read(), UpdateIdOf(update), bench_.now())->has_value();
  }
  const ContentWants& wants() { return bench_.engine().wants(); }

  EngineBench bench_;
};

TEST_F(SyncEngineSiteTest, WhatIsSuppressedAboveIsNotOfferedHere) {
  bench_.Start();
  ASSERT_EQ(wants().ready_updates(), 1);
  bench_.upstream().Commit(Notice(MakeSuppression("a", upstream_id())));
  bench_.Run();
  EXPECT_TRUE(IsHeldBack());
  EXPECT_EQ(wants().ready_updates(), 0);
  EXPECT_EQ(wants().wanted(), 0);
  CatalogChange release;
  release.Delete({v1::RECORD_KIND_SITE, SiteNoticeId(upstream_id(), UpdateIdOf("a")), 0, {}});
  bench_.upstream().Commit(release);
  bench_.Run();
  EXPECT_FALSE(IsHeldBack());
  EXPECT_EQ(wants().ready_updates(), 1);
}

TEST_F(SyncEngineSiteTest, ArrivesWhateverTheSubscriptionTakes) {
  bench_.Subscribe(SubscriptionTo({"Fabrikam/Nothing"}));
  bench_.Start();
  bench_.upstream().Commit(Notice(MakeSuppression("a", upstream_id())));
  bench_.Run();
  EXPECT_EQ(Notices(), 1U);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

TEST_F(SyncEngineSiteTest, AHoldLapsesWithoutAnyEvent) {
  bench_.upstream().Commit(Notice(MakeHold("a", upstream_id(), bench_.now() + absl::Minutes(10))));
  bench_.Start();
  EXPECT_TRUE(bench_.files.contains(Digest::Of("bytes"))) << "it is fetched ahead";
  EXPECT_EQ(wants().ready_updates(), 0);
  const auto reported_ready = [this] {
    return bench_.All<CallReport>().back().request.nodes(0).ready_updates();
  };
  bench_.Advance(absl::Minutes(9));
  EXPECT_EQ(reported_ready(), 0);
  bench_.Advance(absl::Minutes(2));
  EXPECT_EQ(reported_ready(), 1);
}

TEST_F(SyncEngineSiteTest, WhatThisNodeHoldsBackIsNoDifference) {
  bench_.Start();
  bench_.CommitHere(Notice(MakeSuppression("a", self())));
  EXPECT_EQ(wants().wanted(), 0) << "takes effect at once";
  bench_.upstream().AddUpdate({.name = "b"});
  bench_.Run();
  bench_.Restart();
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0U) << "compared without need";
  EXPECT_TRUE(IsHeldBack());
  // Even where everything is compared.
  bench_.Subscribe(SubscriptionTo({"Contoso"}));
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 1U);
  EXPECT_TRUE(IsHeldBack());
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

// The old region suppressed something; it says nothing here any more.
TEST_F(SyncEngineSiteTest, NoticesOfNodesThatAreNoLongerAboveLeave) {
  bench_.upstream().Commit(Notice(MakeSuppression("a", upstream_id())));
  bench_.Start();
  ASSERT_TRUE(IsHeldBack());
  TestCatalog other;
  other.AddUpdate({.name = "a", .contents = {"bytes"}});
  other.Approve("a");
  other.Commit(Notice(MakeHold("a", other->node_id(), bench_.now() + absl::Hours(1))));
  bench_.MoveTo(other);
  bench_.Advance(absl::Minutes(5));
  EXPECT_EQ(Notices(), 1U);
  EXPECT_EQ(HeldBack(bench_.catalog().Read(), UpdateIdOf("a"), bench_.now())->value().node_id(),
            other->node_id().bytes());
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

// An upstream that says what this node holds back is not believed, whichever way it says it.
TEST_F(SyncEngineSiteTest, NobodyElseSpeaksForThisNode) {
  bench_.Start();
  bench_.CommitHere(Notice(MakeSuppression("a", self())));
  const RecordKey own = {v1::RECORD_KIND_SITE, SiteNoticeId(self(), UpdateIdOf("a")), 0, {}};
  const ShardId own_shard = ShardId::Of(SiteShard(self()));
  v1::Record tombstone = bench_.catalog().Read().GetRecord(own).value();
  tombstone.set_state(v1::RECORD_STATE_TOMBSTONE);
  *tombstone.mutable_stamp() = Stamp{1ULL << 62, 1, self()}.ToProto();
  v1::Record elsewhere = tombstone;
  elsewhere.set_shard_id(ShardId::Of(SiteShard(upstream_id())).bytes());
  v1::Record another = PackSiteNotice(MakeSuppression("b", self())).value().record;
  *another.mutable_stamp() = tombstone.stamp();
  int told = 0;
  bench_.alter_changes = [&](v1::ChangesResponse& response) {
    if (!response.has_batch() || told++ > 0) return;
    v1::ChangeBatch& batch = *response.mutable_batch();
    const uint64_t seq = batch.changes(0).seq();
    *batch.add_shards() = SiteShard(self());
    *batch.add_shards() = SiteShard(upstream_id());
    for (const v1::Record& record : {tombstone, elsewhere, another}) {
      v1::Change& change = *batch.add_changes();
      change.set_seq(seq);
      *change.mutable_record() = record;
    }
    v1::Change& left = *batch.add_changes();
    left.set_seq(seq);
    *left.mutable_left()->mutable_key() = own.ToProto();
    left.mutable_left()->set_shard_id(own_shard.bytes());
    left.mutable_left()->set_digest(tombstone.digest());
  };
  bench_.upstream().AddUpdate({.name = "b"});
  bench_.Run();
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(IsHeldBack());
  EXPECT_FALSE(IsHeldBack("b"));
  EXPECT_TRUE(bench_.Has("b")) << "the rest of the batch counts";
  EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_PARTIAL);
  EXPECT_EQ(bench_.LastSession().items_failed(), 3);
}

// The same, when everything is compared.
TEST_F(SyncEngineSiteTest, AComparisonTakesNothingOfThisNodesAway) {
  bench_.Start();
  bench_.CommitHere(Notice(MakeSuppression("a", self())));
  bench_.alter_reconcile = [&](v1::ReconcileResponse& response) {
    if (!response.has_sums()) return;
    v1::ShardSum& sum = *response.mutable_sums()->add_shards();
    *sum.mutable_definition() = SiteShard(self());
    *sum.mutable_fingerprint() = Fingerprint().ToProto();
  };
  bench_.Subscribe(SubscriptionTo({"Contoso"}));
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 1U);
  EXPECT_TRUE(IsHeldBack());
  EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

}  // namespace
}  // namespace sluice
