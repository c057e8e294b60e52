// An autonomous node takes what exists from above and decides itself.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

SyncEngineOptions Autonomous() {
  SyncEngineOptions options = EngineBench::Options();
  options.node.mode = v1::NODE_MODE_AUTONOMOUS;
  return options;
}

class SyncEngineAutonomousTest : public ::testing::Test {
 protected:
  SyncEngineAutonomousTest() {
    bench_.upstream().AddProduct("Contoso/Agent");
    bench_.upstream().AddProduct("Fabrikam/Tool");
    bench_.upstream().AddUpdate({.name = "a", .product = "Contoso/Agent", .contents = {"bytes"}});
    bench_.upstream().AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  }

  // This node's operator approves.
  void ApproveHere(absl::string_view update) {
    const CatalogReader reader = bench_.catalog().Read();
    const RecordColumns current = reader.CurrentRevision(UpdateIdOf(update)).value();
    const ShardInfo shard = reader.Shard(*ShardId::FromBytes(current.header.shard_id())).value();
    CatalogChange change;
    change.Originate(
        PackPolicy(UpdateIdOf(update),
                   {PackDecision(MakeApproval(update, GroupIdOfName(kAllComputersGroup))).value()},
                   ShardInStream(shard.definition, v1::STREAM_KIND_POLICY))
            .value());
    bench_.CommitHere(change);
  }

  v1::UpdateState StateOf(absl::string_view update) {
    return StandingOf(bench_.catalog().Read(), UpdateIdOf(update))->state;
  }
  const ContentWants& wants() { return bench_.engine().wants(); }

  EngineBench bench_{Autonomous()};
};

TEST_F(SyncEngineAutonomousTest, TakesTheCatalogAndNoDecisions) {
  bench_.upstream().Approve("a");
  bench_.Start();
  bench_.upstream().Decline("b");
  bench_.upstream().AddUpdate({.name = "c"});
  bench_.Run();
  EXPECT_TRUE(bench_.Has("a") && bench_.Has("b") && bench_.Has("c"));
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_EQ(StateOf("b"), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_EQ(wants().wanted(), 0);
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0U);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

TEST_F(SyncEngineAutonomousTest, KeepsItsDecisionsAboutPinsThatComeAndGo) {
  bench_.upstream().Approve("b");
  v1::Subscription subscription = SubscriptionTo({"Contoso"});
  bench_.Subscribe(subscription);
  bench_.Start();
  ASSERT_FALSE(bench_.Has("b"));
  SetPicks({UpdateIdOf("b")}, subscription);
  bench_.Subscribe(subscription);
  ASSERT_TRUE(bench_.Has("b"));
  EXPECT_EQ(StateOf("b"), v1::UPDATE_STATE_NOT_APPROVED);
  ApproveHere("b");
  bench_.upstream().Decline("b");
  bench_.Run();
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());

  SetPicks({}, subscription);
  bench_.Subscribe(subscription);
  EXPECT_FALSE(bench_.Has("b"));
  EXPECT_EQ(StateOf("b"), v1::UPDATE_STATE_INACTIVE);
  EXPECT_EQ(wants().inactive_updates(), 1);
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0U);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

// Nobody above approved it, so the node above has to get it first.
TEST_F(SyncEngineAutonomousTest, AsksForTheFilesOfItsOwnApprovals) {
  bench_.Start();
  ApproveHere("a");
  EXPECT_EQ(bench_.Count<FetchFile>(), 1U);
  EXPECT_EQ(wants().StateOf(Digest::Of("bytes")), v1::CONTENT_STATE_WAITING_UPSTREAM);
  const std::vector<CallRequestContent> asked = bench_.All<CallRequestContent>();
  ASSERT_EQ(asked.size(), 1U);
  bench_.OfferFile("bytes");
  v1::RequestResponse ready;
  v1::ContentAnswer& answer = *ready.add_answers();
  answer.set_digest(Digest::Of("bytes").bytes());
  answer.set_state(v1::CONTENT_STATE_READY);
  bench_.Tell(ContentAnswered{asked[0].call, ready});
  EXPECT_EQ(wants().ready_updates(), 1);
}

TEST_F(SyncEngineAutonomousTest, ItsDecisionsAreNoDifference) {
  bench_.Start();
  ApproveHere("a");
  bench_.upstream().Decline("a");
  bench_.upstream().AddUpdate({.name = "c"});
  bench_.Run();
  bench_.Restart();
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0U);
  bench_.Subscribe(SubscriptionTo({"Contoso", "Fabrikam"}));
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 1U);
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_APPROVED);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

TEST_F(SyncEngineAutonomousTest, NarrowingKeepsDecisionsInactiveAndWideningRevivesThem) {
  bench_.Start();
  ApproveHere("a");
  bench_.Subscribe(SubscriptionTo({"Fabrikam"}));
  EXPECT_FALSE(bench_.Has("a"));
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_INACTIVE);
  EXPECT_EQ(wants().wanted(), 0);
  bench_.Advance(absl::Seconds(1));
  EXPECT_EQ(bench_.All<CallReport>().back().request.nodes(0).inactive_updates(), 1);

  bench_.Subscribe({});
  EXPECT_TRUE(bench_.Has("a"));
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_APPROVED);
  EXPECT_EQ(wants().wanted(), 1);
  bench_.Advance(absl::Seconds(1));
  EXPECT_EQ(bench_.All<CallReport>().back().request.nodes(0).inactive_updates(), 0);
}

// What it decided is not "missing upstream" after the upstream was rebuilt.
TEST_F(SyncEngineAutonomousTest, KeepsItsDecisionsAcrossHistories) {
  bench_.Start();
  ApproveHere("a");
  TestCatalog rebuilt;
  rebuilt.AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  bench_.MoveTo(rebuilt);
  bench_.Advance(absl::Minutes(5));
  EXPECT_TRUE(StandingOf(bench_.catalog().Read(), UpdateIdOf("a"))->current->key.kept());
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_APPROVED);
  const RecordKey policy = {v1::RECORD_KIND_POLICY, UpdateIdOf("a"), 0, {}};
  EXPECT_TRUE(bench_.catalog().Read().GetColumns(policy).ok());
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

// An upstream that sends decisions all the same is not obeyed.
TEST_F(SyncEngineAutonomousTest, RefusesDecisionsFromAbove) {
  bench_.Start();
  const v1::ShardDefinition shard =
      ShardInStream(ShardOfRevision(MakeRevision({.name = "a", .product = "Contoso/Agent"})),
                    v1::STREAM_KIND_POLICY);
  v1::Record decline =
      PackPolicy(UpdateIdOf("a"), {PackDecision(MakeDecline("a")).value()}, shard).value().record;
  *decline.mutable_stamp() = Stamp{1, 1, (*bench_.upstream()).node_id()}.ToProto();
  *decline.mutable_decisions(0)->mutable_stamp() = decline.stamp();
  bench_.alter_changes = [&](v1::ChangesResponse& response) {
    if (!response.has_batch()) return;
    *response.mutable_batch()->add_shards() = shard;
    v1::Change& change = *response.mutable_batch()->add_changes();
    change.set_seq(response.batch().changes(0).seq());
    *change.mutable_record() = decline;
  };
  bench_.upstream().AddUpdate({.name = "c"});
  bench_.Run();
  EXPECT_TRUE(bench_.Has("c"));
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_EQ(bench_.LastSession().items_failed(), 1);
}

}  // namespace
}  // namespace sluice
