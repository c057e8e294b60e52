// From one upstream to another and back: nothing is rolled back, nothing looks missing that is only
// late, and only the difference moves.
#include <algorithm>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A node that has followed the root: all that is in its log so far, under the same stamps.
void Follow(const TestCatalog& root, TestCatalog& follower, uint64_t until = UINT64_MAX) {
  const CatalogReader reader = root.Read();
  const auto everything = [](const ShardId& /*shard*/, absl::string_view /*key*/) { return true; };
  const auto slice = reader.ReadLog(0, everything, 1 << 20, 1 << 20);
  ASSERT_TRUE(slice.ok()) << slice.status();
  CatalogChange change;
  for (const LoggedChange& logged : slice->changes) {
    if (logged.seq > until || logged.left) continue;
    absl::StatusOr<CheckedRecord> checked =
        CheckRecord(logged.record, reader.Shard(logged.shard)->definition);
    ASSERT_TRUE(checked.ok()) << checked.status();
    change.Accept(*std::move(checked));
  }
  follower.Commit(change);
}

// A root with two followers; the bench's node is told how far each has followed.
class SyncEngineUpstreamTest : public ::testing::Test {
 protected:
  SyncEngineUpstreamTest() {
    bench_.alter_changes = [this](v1::ChangesResponse& response) {
      if (!tell_root_cursor_ || !response.mark().has_fingerprint()) return;
      v1::Cursor& cursor = *response.mutable_mark()->mutable_root_cursor();
      cursor.set_upstream_id(root_->node_id().bytes());
      *cursor.mutable_epoch() = root_->epoch();
      cursor.set_seq(&bench_.upstream() == &region_ ? region_seq_ : other_seq_);
    };
  }

  void Catch(TestCatalog& follower) {
    Follow(root_, follower);
    (&follower == &region_ ? region_seq_ : other_seq_) = root_->durable_head();
  }
  void SwitchTo(TestCatalog& other) {
    bench_.MoveTo(other);
    bench_.Tell(UpstreamSwitched{&other == &region_ ? "region:1" : "other:1", "the test says so"});
  }
  // As both are, with an approval and three updates; the node follows the region.
  void Begin() {
    for (const std::string name : {"u0", "u1", "u2"}) root_.AddUpdate({.name = name});
    root_.Approve("u0");
    Catch(region_);
    Catch(other_);
    bench_.MoveTo(region_);
    bench_.Start();
    ASSERT_TRUE(bench_.Has("u2"));
  }
  uint64_t Kept() {
    uint64_t kept = 0;
    const std::vector<ShardInfo> shards = bench_.catalog().Read().Shards().value();
    for (const ShardInfo& shard : shards) {
      const bool ours = shard.definition.kept_by() == bench_.catalog().node_id().view();
      if (ours) kept += shard.fingerprint.count();
    }
    return kept;
  }
  bool Declined(absl::string_view update) {
    const auto decisions = bench_.catalog().Read().Decisions(UpdateIdOf(update)).value();
    for (const v1::DecisionEntry& entry : decisions) {
      if (entry.key() == "decline" && !UnpackDecision(entry)->cleared()) return true;
    }
    return false;
  }
  // Records that the sessions from number `first` on moved.
  int64_t RecordsMoved(size_t first) {
    int64_t moved = 0;
    const std::vector<v1::Session> sessions = bench_.Sessions();
    for (size_t i = first; i < sessions.size(); ++i) {
      const v1::SyncCounts& counts = sessions[i].counts();
      moved += counts.categories() + counts.revisions() + counts.expiries() + counts.policies() +
               counts.groups();
    }
    return moved;
  }

  bool tell_root_cursor_ = true;
  TestCatalog root_;
  TestCatalog region_;
  TestCatalog other_;
  uint64_t region_seq_ = 0;
  uint64_t other_seq_ = 0;
  EngineBench bench_;
};

TEST_F(SyncEngineUpstreamTest, TakesNothingFromAnotherThatHasTheSame) {
  Begin();
  const size_t sessions = bench_.Sessions().size();
  SwitchTo(other_);
  EXPECT_EQ(RecordsMoved(sessions), 0);
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0U);
  EXPECT_EQ(bench_.LastSession().peer(), "other:1");
  EXPECT_THAT(bench_.LastSession().summary(), HasSubstr("because the test says so"));
  EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  root_.AddUpdate({.name = "u3"});
  Catch(other_);
  bench_.Run();
  EXPECT_TRUE(bench_.Has("u3"));
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

TEST_F(SyncEngineUpstreamTest, WaitsForOneThatIsBehindAndRollsNothingBack) {
  Begin();
  root_.AddUpdate({.name = "late"});
  root_.Decline("u0");
  root_.Approve("u1");
  CatalogChange change;
  change.Delete(root_.Read().CurrentRevision(UpdateIdOf("u2"))->key);
  root_.Commit(change);
  Catch(region_);
  bench_.Run();
  ASSERT_TRUE(Declined("u0"));
  const size_t sessions = bench_.Sessions().size();
  const uint64_t head = bench_.catalog().durable_head();

  SwitchTo(other_);
  EXPECT_TRUE(bench_.engine().waiting_for_upstream());
  EXPECT_EQ(bench_.catalog().durable_head(), head) << "a record was touched";
  EXPECT_THAT(bench_.LastSession().summary(), HasSubstr("is behind"));
  EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  bench_.Restart();
  EXPECT_TRUE(bench_.engine().waiting_for_upstream()) << "also after a restart";
  EXPECT_EQ(bench_.catalog().durable_head(), head);

  Catch(other_);
  bench_.Run();
  EXPECT_FALSE(bench_.engine().waiting_for_upstream());
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
  EXPECT_EQ(bench_.catalog().durable_head(), head) << "it had all that came";
  EXPECT_EQ(RecordsMoved(sessions), 0);
  EXPECT_EQ(Kept(), 0U);
  root_.AddUpdate({.name = "later"});
  Catch(other_);
  bench_.Run();
  EXPECT_TRUE(bench_.Has("later"));
}

TEST_F(SyncEngineUpstreamTest, PaysForTheTailAloneWhenItReturns) {
  Begin();
  SwitchTo(other_);
  root_.AddUpdate({.name = "while-away"});
  Catch(other_);
  bench_.Run();
  root_.AddUpdate({.name = "last"});
  Catch(region_);
  const size_t sessions = bench_.Sessions().size();
  SwitchTo(region_);
  EXPECT_TRUE(bench_.Has("last"));
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0U);
  EXPECT_LE(RecordsMoved(sessions), 2);
  EXPECT_EQ(bench_.LastSession().method(), v1::SYNC_METHOD_TAIL);
}

TEST_F(SyncEngineUpstreamTest, DeletesWhatTheRootDeletedBeforeItCameToAnother) {
  Begin();
  CatalogChange change;
  change.Delete(root_.Read().CurrentRevision(UpdateIdOf("u1"))->key);
  root_.Commit(change);
  Catch(other_);
  SwitchTo(other_);
  EXPECT_FALSE(bench_.Has("u1"));
  EXPECT_EQ(Kept(), 0U);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

// An upstream of an earlier release does not say how far it has followed the root.
TEST_F(SyncEngineUpstreamTest, KeepsWhatAnotherLacksAndAdoptsItSilentlyWhenItCatchesUp) {
  tell_root_cursor_ = false;
  Begin();
  root_.AddUpdate({.name = "late"});
  root_.Decline("u0");
  Catch(region_);
  bench_.Run();
  ASSERT_TRUE(Declined("u0"));

  SwitchTo(other_);
  EXPECT_TRUE(bench_.Has("late"));
  EXPECT_TRUE(Declined("u0")) << "it was undone";
  EXPECT_EQ(Kept(), 2U);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
  const size_t sessions = bench_.Sessions().size();
  Catch(other_);
  bench_.Run();
  EXPECT_TRUE(Declined("u0"));
  EXPECT_EQ(Kept(), 0U);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
  EXPECT_LE(RecordsMoved(sessions), 1) << "more than the policy moved";
}

TEST_F(SyncEngineUpstreamTest, KeepsWhatANarrowerOneDoesNotTake) {
  root_.AddUpdate({.name = "both", .product = "Contoso/Agent"});
  Catch(other_);
  root_.AddUpdate({.name = "wide", .product = "Fabrikam/Tool"});
  root_.Decline("wide");
  Catch(region_);
  other_seq_ = region_seq_;
  bench_.MoveTo(region_);
  bench_.Start();
  SwitchTo(other_);
  EXPECT_TRUE(bench_.Has("wide"));
  EXPECT_TRUE(Declined("wide"));
  EXPECT_GT(Kept(), 0U);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
  SwitchTo(region_);
  EXPECT_EQ(Kept(), 0U);
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

TEST_F(SyncEngineUpstreamTest, EndsTheSessionThatItIsCalledAwayFrom) {
  Begin();
  bench_.intercept = [](const EngineAction& action) {
    return std::holds_alternative<CallHello>(action);
  };
  bench_.Tell(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
  ASSERT_TRUE(bench_.engine().session_running());
  const std::string called_away = bench_.LastSession().session_id();
  bench_.intercept = [](const EngineAction&) { return false; };
  SwitchTo(other_);
  EXPECT_NE(bench_.LastSession().session_id(), called_away);
  for (const v1::Session& session : bench_.Sessions()) {
    if (session.session_id() != called_away) continue;
    EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_CANCELLED);
  }
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

// A file copy of an upstream's state that was put back, and went on past the cursors of those
// below: nothing in its epoch says that its history is another one.
//
// What the lost history had of an update that both know: a decline.
void PutLostDecline(EngineBench& bench, const std::string& name) {
  TestCatalog elsewhere(absl::FromUnixSeconds(1'700'000'100));
  elsewhere.AddUpdate({.name = name});
  elsewhere.Decline(name);
  std::vector<v1::DecisionEntry> decisions = elsewhere.Read().Decisions(UpdateIdOf(name)).value();
  const auto approval = bench.catalog().Read().Decisions(UpdateIdOf(name)).value();
  decisions.insert(decisions.end(), approval.begin(), approval.end());
  CheckedRecord policy = *PackPolicy(
      UpdateIdOf(name), decisions,
      ShardInStream(ShardOfRevision(MakeRevision({.name = name})), v1::STREAM_KIND_POLICY));
  *policy.record.mutable_stamp() = decisions.front().stamp();
  CatalogChange lost;
  lost.Accept(*CheckRecord(policy.record, policy.shard));
  ASSERT_TRUE(bench.catalog().Commit(lost).ok());
}

bool IsDeclined(EngineBench& bench, const std::string& name) {
  const auto known = bench.catalog().Read().Decisions(UpdateIdOf(name)).value();
  return std::any_of(known.begin(), known.end(), [](const v1::DecisionEntry& entry) {
    return entry.key() == "decline" && !UnpackDecision(entry)->cleared();
  });
}

TEST(MistrustedHistoryTest, RemovesNothingBecauseItIsAbsent) {
  EngineBench bench;
  for (const std::string name : {"old", "u1"}) bench.upstream().AddUpdate({.name = name});
  bench.upstream().Approve("old");
  bench.Start();
  CatalogChange lost;
  TestCatalog elsewhere(absl::FromUnixSeconds(1'700'000'100));
  const RecordKey update = elsewhere.AddUpdate({.name = "lost"});
  lost.Accept(*CheckRecord(*elsewhere.Read().GetRecord(update),
                           ShardOfRevision(MakeRevision({.name = "lost"}))));
  ASSERT_TRUE(bench.catalog().Commit(lost).ok());
  PutLostDecline(bench, "old");
  bench.upstream().AddUpdate({.name = "u2"});

  bench.Restart();
  EXPECT_TRUE(bench.Has("u2"));
  EXPECT_TRUE(bench.Has("lost")) << "absence was taken for a deletion";
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_TRUE(IsDeclined(bench, "old")) << "a decision was undone that nobody overruled";

  CatalogChange deletion;
  deletion.Delete(bench.upstream().Read().CurrentRevision(UpdateIdOf("u1"))->key);
  bench.upstream().Commit(deletion);
  bench.Run();
  EXPECT_FALSE(bench.Has("u1")) << "a tombstone is no absence";
}

TEST(MistrustedHistoryTest, ANewDecisionUndoesNoLostDecline) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "old"});
  bench.upstream().Approve("old");
  bench.Start();
  PutLostDecline(bench, "old");
  bench.upstream().Decide(MakeApproval("old", UpdateIdOf("another group")));
  bench.Run();
  EXPECT_TRUE(IsDeclined(bench, "old"));
  EXPECT_EQ(bench.catalog().Read().Decisions(UpdateIdOf("old"))->size(), 3U);
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_EQ(bench.LastSession().counts().kept(), 1);
}

// The log keeps the last word on a policy alone: that it was removed between is not told.
TEST(MistrustedHistoryTest, AnUpdateThatWasRemovedAndCameAgainIsDecidedAnew) {
  EngineBench bench;
  TestCatalog& root = bench.upstream();
  root.AddUpdate({.name = "old"});
  root.Decline("old");
  bench.Start();
  ASSERT_TRUE(IsDeclined(bench, "old"));
  CatalogChange removal;
  removal.Delete({v1::RECORD_KIND_POLICY, UpdateIdOf("old"), 0, {}});
  removal.Delete(root.Read().CurrentRevision(UpdateIdOf("old"))->key);
  root.Commit(removal);
  root.AddUpdate({.name = "old"});
  root.Approve("old");
  bench.Run();
  EXPECT_FALSE(IsDeclined(bench, "old"));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_EQ(bench.LastSession().counts().kept(), 0);
  EXPECT_EQ(bench.Count<OpenReconcile>(), 0U) << "the tail was not enough";
}

}  // namespace
}  // namespace sluice
