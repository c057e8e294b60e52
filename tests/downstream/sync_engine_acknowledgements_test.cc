// How far the root was followed and decided updates have come: what a node stores and reports.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/acknowledgements.h"
#include "storage/root_cursor.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

v1::Cursor RootCursor(const Catalog& catalog) {
  const auto cursor = ReadRootCursor(catalog.Read());
  EXPECT_TRUE(cursor.ok()) << cursor.status();
  return cursor->value_or(v1::Cursor());
}

v1::UpdateAcknowledgement Own(EngineBench& bench, absl::string_view update) {
  return ReadAcknowledgement(bench.catalog().Read(), bench.catalog().node_id(), UpdateIdOf(update))
      .value();
}

std::vector<v1::UpdateAcknowledgement> Told(const EngineBench& bench) {
  std::vector<v1::UpdateAcknowledgement> told;
  for (const CallReport& report : bench.All<CallReport>()) {
    for (const auto& one : report.request.acknowledgements()) told.push_back(one);
  }
  return told;
}

TEST(SyncEngineAcknowledgementsTest, FollowsTheRootAsFarAsItsUpstreamHad) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.Start();
  EXPECT_EQ(RootCursor(bench.catalog()).upstream_id(), bench.upstream()->node_id().bytes());
  EXPECT_EQ(RootCursor(bench.catalog()).seq(), bench.upstream()->durable_head());
  bench.upstream().AddUpdate({.name = "b"});
  bench.Run();
  bench.Advance(absl::Seconds(1));
  EXPECT_EQ(RootCursor(bench.catalog()).seq(), bench.upstream()->durable_head());
  EXPECT_EQ(bench.All<CallReport>().back().request.nodes(0).root_cursor().seq(),
            bench.upstream()->durable_head());
}

TEST(SyncEngineAcknowledgementsTest, DoesNotClaimTheRootsSeqWhereFingerprintsDiffer) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.alter_changes = [](v1::ChangesResponse& response) {
    if (response.has_mark() && response.mark().has_fingerprint()) {
      response.mutable_mark()->mutable_fingerprint()->set_count(99);
    }
  };
  bench.Start();
  EXPECT_EQ(RootCursor(bench.catalog()).upstream_id(), "");
}

// The node above has followed the root further, and nothing of it is for this node.
TEST(SyncEngineAcknowledgementsTest, AMarkThatOnlySpeaksOfTheRootBeginsNoSession) {
  EngineBench bench;
  v1::HelloResponse above;
  above.set_node_id(Uuid::FromName({}, "root").bytes());
  v1::Cursor root;
  root.set_upstream_id(above.node_id());
  root.set_seq(5);
  CatalogChange change;
  change.PutRow(Family::kSettings, "upstream_hello", above);
  change.PutRow(Family::kSettings, kRootCursorSetting, root);
  bench.upstream().Commit(change);
  bench.upstream().AddUpdate({.name = "a"});
  bench.Start();
  EXPECT_EQ(RootCursor(bench.catalog()).seq(), 5U);
  const size_t sessions = bench.Sessions().size();
  root.set_seq(9);
  CatalogChange further;
  further.PutRow(Family::kSettings, kRootCursorSetting, root);
  bench.upstream().Commit(further);
  bench.Run();
  EXPECT_EQ(RootCursor(bench.catalog()).seq(), 9U);
  EXPECT_EQ(bench.Sessions().size(), sessions);
}

TEST(SyncEngineAcknowledgementsTest, AnotherHistoryAboveResetsTheRootsSeq) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.Start();
  ASSERT_NE(RootCursor(bench.catalog()).upstream_id(), "");
  TestCatalog other;
  other.AddUpdate({.name = "a"});
  bool compared = false;
  bench.intercept = [&](const EngineAction& action) {
    if (!std::holds_alternative<OpenReconcile>(action)) return false;
    compared = true;
    EXPECT_EQ(RootCursor(bench.catalog()).upstream_id(), "");
    return false;
  };
  bench.MoveTo(other);
  bench.Advance(absl::Minutes(5));
  EXPECT_TRUE(compared);
  EXPECT_EQ(RootCursor(bench.catalog()).upstream_id(), other->node_id().bytes());
}

TEST(SyncEngineAcknowledgementsTest, ReportsHowFarADecidedUpdateHasCome) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "undecided", .contents = {"x"}});
  bench.upstream().AddUpdate({.name = "a", .contents = {"bytes"}});
  bench.upstream().Approve("a");
  bench.OfferFile("bytes");
  bench.Start();
  bench.Advance(absl::Seconds(1));
  ASSERT_THAT(Told(bench), Not(IsEmpty()));
  const v1::UpdateAcknowledgement last = Told(bench).back();
  EXPECT_EQ(last.update_id(), UpdateIdOf("a").bytes());
  EXPECT_TRUE(last.has_visible_at());
  EXPECT_EQ(last.waits_for(), "");
  const size_t told = Told(bench).size();
  bench.upstream().AddUpdate({.name = "more"});
  bench.Run();
  bench.Advance(absl::Seconds(5));
  EXPECT_THAT(Told(bench), SizeIs(told)) << "what did not change is not told again";
}

TEST(SyncEngineAcknowledgementsTest, SaysWhyAFileCouldNotBeHad) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"bytes"}});
  bench.upstream().Approve("a");
  bench.intercept = [&bench](const EngineAction& action) {
    const auto* const fetch = std::get_if<FetchFile>(&action);
    if (fetch == nullptr) return false;
    bench.TakeLater(FileFetched{fetch->file.digest,
                                MakeError(v1::REASON_CONTENT_DIR_PERMISSION, "may not write")});
    return true;
  };
  bench.Start();
  bench.Advance(absl::Seconds(1));
  ASSERT_THAT(Told(bench), Not(IsEmpty()));
  EXPECT_EQ(Told(bench).back().waits_for(), "CONTENT_DIR_PERMISSION");
  EXPECT_EQ(Told(bench).back().files_missing(), 1);
}

TEST(SyncEngineAcknowledgementsTest, TellsAfterARestartWhatItCouldNotTellBefore) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.upstream().Approve("a");
  bench.intercept = [](const EngineAction& action) {
    return std::holds_alternative<CallReport>(action);
  };
  bench.Start();
  bench.Advance(absl::Seconds(1));
  const size_t before = Told(bench).size();
  bench.intercept = [](const EngineAction&) { return false; };
  bench.Restart();
  bench.Advance(absl::Seconds(1));
  EXPECT_GT(Told(bench).size(), before);
  bench.Advance(absl::Hours(1));
  const size_t after = Told(bench).size();
  bench.Restart();
  bench.Advance(absl::Seconds(1));
  EXPECT_EQ(Told(bench).size(), after) << "it is known above";
}

TEST(SyncEngineAcknowledgementsTest, TakesBackWhatItSaidWhenTheDecisionIsCleared) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.upstream().Decline("a");
  bench.Start();
  bench.Advance(absl::Seconds(1));
  ASSERT_THAT(Told(bench), Not(IsEmpty()));
  EXPECT_EQ(Told(bench).back().waits_for(), "ITEM_DECLINED");
  bench.upstream().ClearDecline("a");
  bench.Run();
  bench.Advance(absl::Seconds(1));
  EXPECT_EQ(Told(bench).back().policy_digest(), "");
  EXPECT_EQ(Own(bench, "a").update_id(), "") << "it is told, and forgotten";
}

}  // namespace
}  // namespace sluice
