// Removals that are held until an operator says so; and leases on what must not be deleted.
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/decisions.h"
#include "storage/leases.h"
#include "storage/payload.h"
#include "storage/selection.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kUpdates = 10;

SyncEngineOptions Guarded() {
  SyncEngineOptions options = EngineBench::Options();
  options.guard_percent = 20;
  return options;
}

std::string Name(int i) { return absl::StrCat("u", i); }

void AddUpdates(TestCatalog& catalog) {
  for (int i = 0; i < kUpdates; ++i) catalog.AddUpdate({.name = Name(i)});
}

void Delete(TestCatalog& catalog, int begin, int end) {
  CatalogChange change;
  for (int i = begin; i < end; ++i) {
    change.Delete(catalog.Read().CurrentRevision(UpdateIdOf(Name(i)))->key);
  }
  catalog.Commit(change);
}

std::optional<v1::HeldRemoval> Held(EngineBench& bench) {
  const auto held = ReadHeldRemoval(bench.catalog().Read());
  EXPECT_TRUE(held.ok()) << held.status();
  return held.value_or(std::nullopt);
}

absl::Status Release(EngineBench& bench, const std::string& removal_id) {
  CatalogChange change;
  const auto released = ReleaseHeldRemoval(bench.catalog().Read(), removal_id, change);
  if (!released.ok()) return released.status();
  EXPECT_TRUE(bench.catalog().Commit(change).ok());
  bench.Tell(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
  return absl::OkStatus();
}

TEST(SyncEngineGuardTest, HoldsALargeRemovalWholeAndTakesInTheRest) {
  EngineBench bench(Guarded());
  AddUpdates(bench.upstream());
  bench.Start();
  Delete(bench.upstream(), 0, 5);
  bench.upstream().AddUpdate({.name = "new"});
  bench.Run();

  const v1::Session session = bench.LastSession();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_FAILED);
  ASSERT_THAT(session.errors(), SizeIs(1));
  EXPECT_EQ(session.errors(0).reason(), "GUARD_HELD");
  EXPECT_THAT(session.errors(0).message(), HasSubstr("5 of 11 records"));
  for (int i = 0; i < kUpdates; ++i) EXPECT_TRUE(bench.Has(Name(i))) << i;
  EXPECT_TRUE(bench.Has("new"));
  ASSERT_TRUE(Held(bench).has_value());
  EXPECT_EQ(Held(bench)->records(), 5);
  std::vector<v1::Condition> conditions;
  AddHeldCondition(bench.catalog().Read(), conditions);
  ASSERT_THAT(conditions, SizeIs(1));
  EXPECT_THAT(conditions[0].message(), HasSubstr(Held(bench)->removal_id()));
}

TEST(SyncEngineGuardTest, GoesOnTakingInWhatIsAddedWhileItHolds) {
  EngineBench bench(Guarded());
  AddUpdates(bench.upstream());
  bench.Start();
  Delete(bench.upstream(), 0, 5);
  bench.Run();
  const std::string held = Held(bench)->removal_id();
  bench.upstream().AddUpdate({.name = "new"});
  bench.Advance(EngineBench::Options().schedule.retry_interval);
  EXPECT_TRUE(bench.Has("new"));
  EXPECT_TRUE(bench.Has(Name(0)));
  EXPECT_EQ(Held(bench)->removal_id(), held) << "it is the same removal";
}

TEST(SyncEngineGuardTest, AReleasedRemovalHappensAfterARestartToo) {
  EngineBench bench(Guarded());
  AddUpdates(bench.upstream());
  bench.Start();
  Delete(bench.upstream(), 0, 5);
  bench.Run();
  bench.Restart();
  ASSERT_TRUE(Held(bench).has_value());
  EXPECT_TRUE(bench.Has(Name(0)));

  EXPECT_EQ(ReasonOf(Release(bench, "another")), v1::REASON_STALE_VERSION);
  ASSERT_TRUE(Release(bench, Held(bench)->removal_id()).ok());
  EXPECT_FALSE(bench.Has(Name(0)));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_FALSE(Held(bench).has_value());
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);

  Delete(bench.upstream(), 5, 8);
  bench.Run();
  EXPECT_TRUE(Held(bench).has_value()) << "the guard is up again";
}

TEST(SyncEngineGuardTest, CountsOverSessionsOfADay) {
  EngineBench bench(Guarded());
  AddUpdates(bench.upstream());
  bench.Start();
  for (int i = 0; i < 2; ++i) {
    Delete(bench.upstream(), i, i + 1);
    bench.Run();
    EXPECT_FALSE(bench.Has(Name(i)));
  }
  EXPECT_EQ(bench.Count<OpenReconcile>(), 0U) << "small removals are not compared for";
  Delete(bench.upstream(), 2, 3);
  bench.Run();
  ASSERT_TRUE(Held(bench).has_value());
  EXPECT_EQ(Held(bench)->records(), 1);
  EXPECT_TRUE(bench.Has(Name(2)));
  bench.Advance(absl::Hours(26));
  EXPECT_FALSE(bench.Has(Name(2))) << "what went the day before does not count";
  EXPECT_FALSE(Held(bench).has_value());
}

TEST(SyncEngineGuardTest, WhatMovesOrTheOwnOperatorDropsIsNoRemoval) {
  EngineBench bench(Guarded());
  bench.upstream().AddProduct("Contoso/Agent");
  bench.upstream().AddProduct("Contoso/Server");
  AddUpdates(bench.upstream());
  bench.Start();
  for (int i = 0; i < kUpdates; ++i) {
    bench.upstream().AddUpdate({.name = Name(i), .title = "moved", .product = "Contoso/Server"});
  }
  bench.Run();
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_FALSE(Held(bench).has_value());
  bench.Subscribe(SubscriptionTo({"Contoso/Agent"}));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_FALSE(Held(bench).has_value());
}

// What the upstream stops offering because of a change there.
TEST(SyncEngineGuardTest, HoldsWhatAChangeAboveTakesOutOfTheSelection) {
  EngineBench bench(Guarded());
  bench.upstream().AddProduct("Contoso/Agent");
  bench.upstream().AddProduct("Other");
  for (int i = 0; i < kUpdates; ++i) {
    bench.upstream().AddUpdate({.name = Name(i), .product = "Contoso/Agent"});
  }
  bench.Subscribe(SubscriptionTo({"Contoso"}));
  bench.Start();
  ASSERT_TRUE(bench.Has(Name(0)));
  bench.upstream().AddProduct("Contoso/Agent", /*parent=*/"Other");
  bench.Run();
  ASSERT_TRUE(Held(bench).has_value());
  EXPECT_EQ(Held(bench)->records(), kUpdates);
  EXPECT_TRUE(bench.Has(Name(0)));
  ASSERT_TRUE(Release(bench, Held(bench)->removal_id()).ok());
  EXPECT_FALSE(bench.Has(Name(0)));
}

// ---- Leases.

bool HeldAbove(EngineBench& bench, absl::string_view update) {
  const auto book = LeaseBook::Read(bench.upstream().Read(), bench.now());
  EXPECT_TRUE(book.ok()) << book.status();
  return book.ok() && book->Holds(UpdateIdOf(update));
}

size_t LeasesSent(EngineBench& bench) {
  size_t leases = 0;
  for (const CallReport& report : bench.All<CallReport>()) {
    leases += static_cast<size_t>(report.request.leases_size());
  }
  return leases;
}

TEST(LeaseReportTest, NamesWhatIsPinnedAndAllThatItNeeds) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "needed"});
  bench.upstream().AddUpdate({.name = "pinned", .prerequisites = {"needed"}});
  bench.upstream().AddUpdate({.name = "other"});
  bench.Start();
  bench.Advance(absl::Seconds(1));
  EXPECT_EQ(LeasesSent(bench), 0U) << "a plain replica needs no lease";
  v1::Subscription subscription;
  subscription.add_update_ids(UpdateIdOf("pinned").bytes());
  CatalogChange change;
  change.PutRow(Family::kSettings, kSubscriptionSetting, subscription);
  ASSERT_TRUE(bench.catalog().Commit(change).ok());
  bench.Tell(ReportDue{});
  bench.Advance(absl::Seconds(1));
  EXPECT_TRUE(HeldAbove(bench, "pinned"));
  EXPECT_TRUE(HeldAbove(bench, "needed"));
  EXPECT_FALSE(HeldAbove(bench, "other"));
}

TEST(LeaseReportTest, SendsALeaseOnceAndRenewsItAtHalfItsTime) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "pinned"});
  v1::Subscription subscription;
  subscription.add_update_ids(UpdateIdOf("pinned").bytes());
  bench.Subscribe(subscription);
  bench.Start();
  bench.Advance(absl::Seconds(1));
  EXPECT_EQ(LeasesSent(bench), 1U);
  bench.Tell(ReportDue{});
  bench.Advance(kLeaseTime / 3);
  EXPECT_EQ(LeasesSent(bench), 1U);
  bench.Advance(kLeaseTime / 3);
  EXPECT_EQ(LeasesSent(bench), 2U);
  bench.Advance(kLeaseTime / 2);
  EXPECT_TRUE(HeldAbove(bench, "pinned")) << "it never lapsed";
}

TEST(LeaseReportTest, AnAutonomousNodeLeasesWhatItApproved) {
  SyncEngineOptions options = EngineBench::Options();
  options.node.mode = v1::NODE_MODE_AUTONOMOUS;
  EngineBench bench(options);
  bench.upstream().AddUpdate({.name = "a"});
  bench.upstream().AddUpdate({.name = "b"});
  bench.Start();
  CatalogChange decided;
  decided.Originate(
      PackPolicy(UpdateIdOf("a"),
                 {PackDecision(MakeApproval("a", GroupIdOfName(kAllComputersGroup))).value()},
                 v1::ShardDefinition())
          .value());
  bench.CommitHere(decided);
  bench.Tell(ReportDue{});
  bench.Advance(absl::Seconds(1));
  EXPECT_TRUE(HeldAbove(bench, "a"));
  EXPECT_FALSE(HeldAbove(bench, "b"));
}

TEST(LeaseReportTest, PassesOnLeasesOfNodesBelow) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.Start();
  bench.Advance(absl::Seconds(1));
  const v1::Lease below = MakeLease(Uuid::FromName({}, "site"), {UpdateIdOf("a")}, bench.now());
  CatalogChange change;
  change.PutRow(Family::kLeases, below.node_id(), below);
  ASSERT_TRUE(bench.catalog().Commit(change).ok());
  bench.Tell(ReportDue{});
  bench.Advance(absl::Seconds(1));
  EXPECT_TRUE(HeldAbove(bench, "a"));
  bench.Tell(ReportDue{});
  bench.Advance(absl::Seconds(1));
  EXPECT_EQ(LeasesSent(bench), 1U);
}

}  // namespace
}  // namespace sluice
