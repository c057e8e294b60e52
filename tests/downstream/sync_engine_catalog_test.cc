// The way through the catalog: tailing, comparing, and what survives a crash in between.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// How many records this node keeps because its upstream's history lacks them.
uint64_t Kept(EngineBench& bench) {
  const absl::StatusOr<std::vector<ShardInfo>> shards = bench.catalog().Read().Shards();
  EXPECT_TRUE(shards.ok()) << shards.status();
  if (!shards.ok()) return 0;
  uint64_t kept = 0;
  for (const ShardInfo& shard : *shards) {
    const bool ours = shard.definition.kept_by() == bench.catalog().node_id().view();
    if (ours) kept += shard.fingerprint.count();
  }
  return kept;
}

void AddUpdates(TestCatalog& catalog, int count) {
  for (int i = 0; i < count; ++i) {
    catalog.AddUpdate({.name = "u" + std::to_string(i), .product = "Contoso/Agent"});
  }
}

// Makes one record arrive damaged, as often as `times`.
void Damage(v1::ChangesResponse& response, int& times) {
  if (!response.has_batch()) return;
  for (v1::Change& change : *response.mutable_batch()->mutable_changes()) {
    if (times == 0 || change.record().key().kind() != v1::RECORD_KIND_REVISION) continue;
    --times;
    change.mutable_record()->mutable_body()->push_back('x');
  }
}

TEST(SyncEngineCatalogTest, GoesOnFromItsCursor) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  bench.Start();
  const uint64_t head = (*bench.upstream()).durable_head();
  EXPECT_EQ(bench.Cursor().seq(), head);
  bench.upstream().AddUpdate({.name = "later"});
  bench.Restart();
  EXPECT_EQ(bench.LastSession().from_seq(), head);
  EXPECT_EQ(bench.LastSession().counts().revisions(), 1);
  EXPECT_EQ(bench.Ours(), bench.Theirs());
}

TEST(SyncEngineCatalogTest, NeverHasACursorBeyondItsRecordsWhereverItIsKilled) {
  for (int64_t writes = 1; writes <= 14; ++writes) {
    EngineBench bench;
    AddUpdates(bench.upstream(), 3);
    bench.store().FailWritesFrom(writes);
    bench.Start();
    // All that the cursor covers is here.
    if (bench.Cursor().seq() == (*bench.upstream()).durable_head()) {
      EXPECT_EQ(bench.Ours(), bench.Theirs()) << "killed before write " << writes;
    }
    bench.Restart();
    EXPECT_EQ(bench.Ours(), bench.Theirs()) << "killed before write " << writes;
    EXPECT_EQ(bench.Cursor().seq(), (*bench.upstream()).durable_head());
  }
}

TEST(SyncEngineCatalogTest, FollowsMarksPastWhatItDoesNotTake) {
  EngineBench bench;
  bench.upstream().AddProduct("Contoso/Agent");
  bench.upstream().AddProduct("Fabrikam/Tool");
  bench.Subscribe(SubscriptionTo({"Contoso"}));
  bench.Start();
  bench.upstream().AddUpdate({.name = "other", .product = "Fabrikam/Tool"});
  bench.Run();
  EXPECT_FALSE(bench.Has("other"));
  EXPECT_EQ(bench.Cursor().seq(), (*bench.upstream()).durable_head());
}

TEST(SyncEngineCatalogTest, RemembersADamagedRecordTakesTheRestAndGetsItByComparing) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  int times = 1;
  bench.alter_changes = [&times](v1::ChangesResponse& response) { Damage(response, times); };
  bench.Start();
  const v1::Session session = bench.LastSession();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_PARTIAL);
  ASSERT_EQ(session.items_failed(), 1);
  EXPECT_EQ(session.items(0).status().reason(), "ITEM_CORRUPT");
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  // It is no longer missing.
  EXPECT_THAT(
      bench.catalog().Read().ListRows<stored::v1::MissingRow>(Family::kMissing, "", "", 10).value(),
      IsEmpty());
}

TEST(SyncEngineCatalogTest, CountsTheAttemptsAtWhatStaysDamaged) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 2);
  int times = 1;
  bench.alter_changes = [&times](v1::ChangesResponse& response) { Damage(response, times); };
  bench.alter_records = [](v1::GetRecordsResponse& response) {
    for (v1::GetRecordsItem& item : *response.mutable_items()) {
      item.mutable_record()->mutable_body()->push_back('x');
    }
  };
  bench.Start();
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_PARTIAL);
  EXPECT_EQ(bench.Count<OpenReconcile>(), 1U);  // Once a session.
  auto missing =
      bench.catalog().Read().ListRows<stored::v1::MissingRow>(Family::kMissing, "", "", 10).value();
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].second.attempts(), 2);
  EXPECT_EQ(missing[0].second.status().reason(), "ITEM_CORRUPT");
  const auto first_seen = missing[0].second.first_seen();

  bench.alter_records = [](v1::GetRecordsResponse&) {};
  bench.Advance(absl::Seconds(10));
  bench.Restart();
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_GT(first_seen.seconds(), 0);
}

TEST(SyncEngineCatalogTest, ForgetsWhatWasMissingWhenTheUpstreamHasItNoLonger) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 2);
  int times = 1;
  bench.alter_changes = [&times](v1::ChangesResponse& response) { Damage(response, times); };
  bench.alter_records = [](v1::GetRecordsResponse& response) {
    for (v1::GetRecordsItem& item : *response.mutable_items()) {
      item.mutable_record()->mutable_body()->push_back('x');
    }
  };
  bench.Start();
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_PARTIAL);
  CatalogChange change;
  change.Delete(bench.upstream().Read().CurrentRevision(UpdateIdOf("u0"))->key);
  bench.upstream().Commit(change);
  bench.Run();
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_THAT(
      bench.catalog().Read().ListRows<stored::v1::MissingRow>(Family::kMissing, "", "", 10).value(),
      IsEmpty());
}

// Such a session never ended, and the node never reconnected.
TEST(SyncEngineCatalogTest, EndsASessionWhoseFilesAreOnTheirWayWhenALaterMarkDiffers) {
  EngineBench bench;
  bench.upstream().AddProduct("Contoso/Agent");
  bench.upstream().AddProduct("Fabrikam/Tool");
  AddUpdates(bench.upstream(), 2);
  bench.upstream().AddUpdate({.name = "a", .contents = {"slow"}});
  bench.upstream().Approve("a");
  bench.Subscribe(SubscriptionTo({"Contoso"}));
  bench.alter_changes = [](v1::ChangesResponse& response) {
    if (response.mark().has_fingerprint()) {
      response.mutable_mark()->mutable_fingerprint()->set_count(99);
    }
  };
  std::optional<FetchFile> fetch;
  bench.intercept = [&fetch](const EngineAction& action) {
    const auto* const file = std::get_if<FetchFile>(&action);
    if (file != nullptr) fetch = *file;
    return file != nullptr;
  };
  bench.Start();
  ASSERT_TRUE(fetch.has_value());
  bench.upstream().AddUpdate({.name = "other", .product = "Fabrikam/Tool"});
  bench.Run();
  bench.CutChanges();
  bench.alter_changes = [](v1::ChangesResponse&) {};
  bench.files.insert(fetch->file.digest);
  bench.Tell(FileFetched{fetch->file.digest, absl::OkStatus(), fetch->file.size_bytes});
  EXPECT_EQ(bench.Sessions()[0].outcome(), v1::SYNC_OUTCOME_PARTIAL);
  bench.Advance(absl::Minutes(2));
  EXPECT_TRUE(bench.engine().watching());
}

TEST(SyncEngineCatalogTest, ComparesOnceWhenTheFingerprintAtTheHeadDiffers) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  bench.alter_changes = [](v1::ChangesResponse& response) {
    if (!response.mark().has_fingerprint()) return;
    response.mutable_mark()->mutable_fingerprint()->set_count(99);
  };
  bench.Start();
  EXPECT_EQ(bench.Count<OpenReconcile>(), 1U);
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_PARTIAL);
  EXPECT_THAT(bench.LastSession().items(0).status().message(), HasSubstr("fingerprint"));
}

TEST(SyncEngineCatalogTest, HealsRecordsThatRottedAwayHere) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  bench.Start();
  CatalogChange change;
  const RecordColumns lost = bench.catalog().Read().CurrentRevision(UpdateIdOf("u1")).value();
  change.Leave(lost.key, ShardId::FromBytes(lost.header.shard_id()).value());
  ASSERT_TRUE(bench.catalog().Commit(change).ok());
  bench.Restart();
  EXPECT_TRUE(bench.Has("u1"));
  EXPECT_EQ(bench.LastSession().method(), v1::SYNC_METHOD_RECONCILE);
  ASSERT_EQ(bench.Count<CallGetRecords>(), 1U);
  EXPECT_EQ(bench.All<CallGetRecords>()[0].request.keys_size(), 1);  // The difference, no more.
}

TEST(SyncEngineCatalogTest, TakesIdenticalRecordsOfARebuiltUpstreamWithoutMovingBytes) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 5);
  bench.Start();
  TestCatalog rebuilt(absl::FromUnixSeconds(1'800'000'000));
  AddUpdates(rebuilt, 5);
  bench.MoveTo(rebuilt);
  bench.Advance(absl::Seconds(5));
  EXPECT_EQ(bench.Count<CallGetRecords>(), 0U);
  EXPECT_EQ(bench.LastSession().method(), v1::SYNC_METHOD_RECONCILE);
  EXPECT_THAT(bench.LastSession().summary(), HasSubstr("another node"));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_EQ(Kept(bench), 0U);
  EXPECT_EQ(bench.Cursor().seq(), (*rebuilt).durable_head());
}

TEST(SyncEngineCatalogTest, KeepsWhatARebuiltUpstreamLacksAndGivesItBackWhenItReturns) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  bench.Start();
  TestCatalog rebuilt(absl::FromUnixSeconds(1'800'000'000));
  AddUpdates(rebuilt, 1);
  bench.MoveTo(rebuilt);
  bench.Advance(absl::Seconds(5));
  EXPECT_EQ(bench.LastSession().counts().kept(), 2);
  EXPECT_EQ(Kept(bench), 2U);
  EXPECT_TRUE(bench.Has("u1"));
  EXPECT_TRUE(bench.Has("u2"));
  EXPECT_EQ(bench.Ours(), bench.Theirs());

  AddUpdates(rebuilt, 3);
  bench.Run();
  EXPECT_EQ(Kept(bench), 0U);
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  // Its own copies were the same.
  const std::vector<v1::Session> sessions = bench.Sessions();
  for (size_t i = 1; i < sessions.size(); ++i) EXPECT_EQ(sessions[i].counts().record_bytes(), 0);
}

// The node above kept a decline and then had another policy from its own upstream. Merged with that
// one, the decline stayed in the policy here, and no comparison could ever take it out.
TEST(SyncEngineCatalogTest, TakesAPolicyWithoutTheDecisionsThatTheUpstreamKeepsMeanwhile) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 1);
  bench.upstream().Decline("u0");
  bench.Start();
  bench.intercept = [](const EngineAction& action) {
    return std::holds_alternative<CallHello>(action);
  };
  bench.CutChanges();
  CatalogChange kept;
  kept.Keep({v1::RECORD_KIND_POLICY, UpdateIdOf("u0"), 0, {}});
  bench.upstream().Commit(kept);
  bench.upstream().Approve("u0");
  bench.intercept = [](const EngineAction& /*action*/) { return false; };
  bench.Restart();
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(bench.LastSession().method(), v1::SYNC_METHOD_TAIL);
  const UpdateStanding standing = StandingOf(bench.catalog().Read(), UpdateIdOf("u0")).value();
  EXPECT_EQ(standing.state, v1::UPDATE_STATE_DECLINED);
}

// While it keeps updates a node goes by fingerprints alone. They were the same wherever a record
// was, and a decision that followed its update stayed behind.
TEST(SyncEngineCatalogTest, SeesThatADecisionMovedWhileItKeepsUpdates) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  bench.Start();
  TestCatalog rebuilt(absl::FromUnixSeconds(1'800'000'000));
  AddUpdates(rebuilt, 1);
  rebuilt.AddUpdate({.name = "u0", .product = "Fabrikam/Tool"});
  rebuilt.Approve("u0");
  bench.MoveTo(rebuilt);
  bench.Advance(absl::Seconds(5));
  ASSERT_EQ(Kept(bench), 2U);
  AddUpdates(rebuilt, 1);  // The first revision is the current one again.
  bench.Run();
  const RecordKey policy = {v1::RECORD_KIND_POLICY, UpdateIdOf("u0"), 0, {}};
  EXPECT_EQ(bench.catalog().Read().GetColumns(policy)->header.shard_id(),
            rebuilt.Read().GetColumns(policy)->header.shard_id());
}

TEST(SyncEngineCatalogTest, LetsGoWhatItsNarrowerSubscriptionNoLongerTakes) {
  EngineBench bench;
  bench.upstream().AddProduct("Contoso/Agent");
  bench.upstream().AddProduct("Fabrikam/Tool");
  bench.upstream().AddUpdate({.name = "a", .product = "Contoso/Agent"});
  bench.upstream().AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  bench.Start();
  bench.Subscribe(SubscriptionTo({"Contoso"}));
  EXPECT_TRUE(bench.Has("a"));
  EXPECT_FALSE(bench.Has("b"));
  EXPECT_EQ(Kept(bench), 0U);
  bench.Subscribe(SubscriptionTo({"Contoso", "Fabrikam"}));
  EXPECT_TRUE(bench.Has("b"));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
}

TEST(SyncEngineCatalogTest, FollowsAProductThatMovesIntoItsSelectionAndOutAgain) {
  EngineBench bench;
  bench.upstream().AddProduct("Contoso");
  bench.upstream().AddProduct("Fabrikam/Tool");
  bench.upstream().AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  bench.Subscribe(SubscriptionTo({"Contoso"}));
  bench.Start();
  EXPECT_FALSE(bench.Has("b"));
  bench.upstream().AddProduct("Fabrikam/Tool", "Contoso");
  bench.Run();
  EXPECT_TRUE(bench.Has("b"));
  EXPECT_EQ(bench.LastSession().trigger(), v1::SYNC_TRIGGER_WATCH);
  bench.upstream().AddProduct("Fabrikam/Tool");
  bench.Run();
  EXPECT_FALSE(bench.Has("b"));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
}

TEST(SyncEngineCatalogTest, ComparesWhenTheStreamRefusesItsCursor) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  bench.Start();
  bool refused = false;
  bench.intercept = [&bench, &refused](const EngineAction& action) {
    const auto* const open = std::get_if<OpenChanges>(&action);
    if (open == nullptr || std::exchange(refused, true)) return false;
    bench.TakeLater(ChangesEnded{open->call, MakeError(v1::REASON_SELECTION_CHANGED, "expanded")});
    return true;
  };
  bench.CutChanges();
  bench.Advance(absl::Seconds(5));
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_TRUE(bench.engine().watching());
}

TEST(SyncEngineCatalogTest, GoesOnWithAComparisonThatWasCut) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  bench.Start();
  TestCatalog rebuilt(absl::FromUnixSeconds(1'800'000'000));
  AddUpdates(rebuilt, 2);
  bool cut = false;
  bench.intercept = [&bench, &cut](const EngineAction& action) {
    const auto* const keys = std::get_if<SendReconcile>(&action);
    if (keys == nullptr || std::exchange(cut, true)) return false;
    bench.TakeLater(ReconcileEnded{keys->call, absl::UnavailableError("cut")});
    return true;
  };
  bench.MoveTo(rebuilt);
  bench.Advance(absl::Minutes(5));
  EXPECT_TRUE(cut);
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_EQ(Kept(bench), 1U);
}

// A comparison found that a product had left the selection, and was cut; then the product came
// back. The cursor seemed to fit again, and the tail went on without what had been let go of.
TEST(SyncEngineCatalogTest, ComparesAgainWhenAComparisonWasCutAndTheSelectionIsAsBefore) {
  EngineBench bench;
  bench.upstream().AddProduct("Contoso");
  bench.upstream().AddProduct("Fabrikam/Tool", "Contoso");
  bench.upstream().AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  bench.Subscribe(SubscriptionTo({"Contoso"}));
  bench.Start();
  ASSERT_TRUE(bench.Has("b"));
  // First it asks what became of the update, then for the product.
  int reads = 0;
  bench.intercept = [&bench, &reads](const EngineAction& action) {
    const auto* const records = std::get_if<CallGetRecords>(&action);
    if (records == nullptr || ++reads != 2) return false;
    bench.TakeLater(RecordsAnswered{records->call, absl::UnavailableError("cut")});
    return true;
  };
  bench.upstream().AddProduct("Fabrikam/Tool");
  bench.Run();
  ASSERT_TRUE(bench.Has("b")) << "nothing is let go of before a comparison is through";
  bench.upstream().AddProduct("Fabrikam/Tool", "Contoso");
  bench.intercept = [](const EngineAction& /*action*/) { return false; };
  bench.Restart();
  EXPECT_TRUE(bench.Has("b"));
  EXPECT_THAT(bench.LastSession().summary(), Not(HasSubstr("fingerprints differed")));
}

// A history that was lost is one that has less: what is here was kept until the comparison was cut,
// and after that removed.
TEST(SyncEngineCatalogTest, KeepsWhatALostHistoryLacksAlsoWhenAComparisonWasCut) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 3);
  bench.Start();
  v1::Cursor ahead = bench.Cursor();
  ahead.set_seq(ahead.seq() + 1);
  CatalogChange change;
  change.SetCursor(ahead);
  ASSERT_TRUE(bench.catalog().Commit(change).ok());
  bench.intercept = [&bench](const EngineAction& action) {
    const auto* const open = std::get_if<OpenReconcile>(&action);
    if (open != nullptr) {
      bench.TakeLater(ReconcileEnded{open->call, absl::UnavailableError("cut")});
    }
    return open != nullptr;
  };
  bench.Restart();
  change = CatalogChange();
  const RecordColumns lost = bench.upstream().Read().CurrentRevision(UpdateIdOf("u1")).value();
  change.Leave(lost.key, ShardId::FromBytes(lost.header.shard_id()).value());
  bench.upstream().Commit(change);
  bench.upstream().AddUpdate({.name = "u3"});
  bench.intercept = [](const EngineAction& /*action*/) { return false; };
  bench.Restart();
  EXPECT_TRUE(bench.Has("u1"));
  EXPECT_EQ(Kept(bench), 1U);
}

// A decision that moved out of the selection between comparing and reading stayed here for ever.
TEST(SyncEngineCatalogTest, DoesNotTakeWhatLeftTheSelectionWhileItCompared) {
  EngineBench bench;
  bench.upstream().AddProduct("Contoso/Agent");
  bench.upstream().AddProduct("Fabrikam/Tool");
  bench.upstream().AddUpdate({.name = "a", .title = "a 1", .product = "Contoso/Agent"});
  bench.upstream().Approve("a");
  bench.Subscribe(SubscriptionTo({"Contoso"}));
  bench.Start();
  const RecordKey policy = {v1::RECORD_KIND_POLICY, UpdateIdOf("a"), 0, {}};
  const RecordColumns lost = bench.catalog().Read().GetColumns(policy).value();
  CatalogChange change;
  change.Leave(policy, ShardId::FromBytes(lost.header.shard_id()).value());
  ASSERT_TRUE(bench.catalog().Commit(change).ok());
  bool moved = false;
  bench.intercept = [&bench, &moved](const EngineAction& action) {
    if (std::holds_alternative<CallGetRecords>(action) && !std::exchange(moved, true)) {
      bench.upstream().AddUpdate({.name = "a", .title = "a 2", .product = "Fabrikam/Tool"});
    }
    return false;
  };
  bench.Restart();
  EXPECT_TRUE(moved);
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

TEST(SyncEngineCatalogTest, TakesADeletionInTheSameHistoryForOne) {
  EngineBench bench;
  AddUpdates(bench.upstream(), 2);
  bench.Start();
  CatalogChange change;
  change.Delete(bench.upstream().Read().CurrentRevision(UpdateIdOf("u0"))->key);
  bench.upstream().Commit(change);
  bench.Run();
  EXPECT_FALSE(bench.Has("u0"));
  EXPECT_EQ(Kept(bench), 0U);
  EXPECT_EQ(bench.LastSession().counts().deleted(), 1);
}

}  // namespace
}  // namespace sluice
