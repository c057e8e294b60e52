// What following an upstream would move and keep, told before.
#include "downstream/upstream_preview.h"

#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/payload.h"
#include "tests/downstream/engine_bench.h"
#include "tests/downstream/exchange_peer.h"

namespace sluice {
namespace {

// The update "a" is at both, "mine" here alone and "theirs" at the other upstream alone.
class UpstreamPreviewTest : public ::testing::Test {
 protected:
  UpstreamPreviewTest() {
    other_.AddUpdate({.name = "a"});
    other_.AddUpdate({.name = "theirs"});
  }

  void Begin(EngineBench& bench) {
    bench.upstream().AddUpdate({.name = "a"});
    bench.upstream().AddUpdate({.name = "mine"});
    bench.Start();
  }
  v1::UpstreamPreview Preview(EngineBench& bench, v1::NodeMode mode) {
    ExchangePeer peer(*other_, bench.catalog().node_id());
    peer.mode = mode;
    return PreviewUpstream(bench.catalog(), peer).value();
  }

  TestCatalog other_;
};

TEST_F(UpstreamPreviewTest, TellsWhatComesAndWhatIsKept) {
  EngineBench bench;
  Begin(bench);
  bench.upstream().Decline("mine");
  other_.Approve("theirs");
  bench.Run();
  const v1::UpstreamPreview preview = Preview(bench, v1::NODE_MODE_REPLICA);
  EXPECT_EQ(preview.node_name(), "hq");
  EXPECT_EQ(preview.records_to_fetch(), 2) << preview.DebugString();
  EXPECT_EQ(preview.records_to_keep(), 2) << preview.DebugString();
  EXPECT_EQ(preview.decisions_to_keep(), 1);
}

// What a node holds back ends where that node is no longer above.
TEST_F(UpstreamPreviewTest, SaysNothingOfNoticesThatEnd) {
  EngineBench bench;
  Begin(bench);
  CatalogChange notice;
  notice.Originate(PackSiteNotice(MakeSuppression("a", (*bench.upstream()).node_id())).value());
  bench.upstream().Commit(notice);
  bench.Run();
  ASSERT_EQ(bench.catalog().Read().List(v1::RECORD_KIND_SITE, "", 10)->size(), 1U);
  EXPECT_EQ(Preview(bench, v1::NODE_MODE_REPLICA).records_to_keep(), 1) << "the update \"mine\"";
}

// Its own decisions are not up to an upstream, and neither are those of an upstream to it.
TEST_F(UpstreamPreviewTest, LeavesTheDecisionsOfAnAutonomousNodeOut) {
  SyncEngineOptions options = EngineBench::Options();
  options.node.mode = v1::NODE_MODE_AUTONOMOUS;
  EngineBench bench(options);
  Begin(bench);
  const CatalogReader reader = bench.catalog().Read();
  const RecordColumns current = reader.CurrentRevision(UpdateIdOf("a")).value();
  const ShardInfo shard = reader.Shard(*ShardId::FromBytes(current.header.shard_id())).value();
  CatalogChange change;
  change.Originate(PackPolicy(UpdateIdOf("a"), {PackDecision(MakeDecline("a")).value()},
                              ShardInStream(shard.definition, v1::STREAM_KIND_POLICY))
                       .value());
  bench.CommitHere(change);
  other_.Approve("theirs");
  const v1::UpstreamPreview preview = Preview(bench, v1::NODE_MODE_AUTONOMOUS);
  EXPECT_EQ(preview.records_to_fetch(), 1) << preview.DebugString();
  EXPECT_EQ(preview.records_to_keep(), 1) << preview.DebugString();
  EXPECT_EQ(preview.decisions_to_keep(), 0);
}

}  // namespace
}  // namespace sluice
