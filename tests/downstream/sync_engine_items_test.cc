// How the engine finds out what differs in a shard: by items, or by keys.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

// Loses updates 1 and 50 of a hundred, heals, and tells what was asked in the comparison.
std::vector<v1::ReconcileRequest::StepCase> AsksToHeal(EngineBench& bench) {
  for (int i = 0; i < 100; ++i) {
    bench.upstream().AddUpdate({.name = absl::StrCat("u", i), .product = "Contoso/Agent"});
  }
  bench.Start();
  CatalogChange change;
  for (const absl::string_view name : {"u1", "u50"}) {
    const RecordColumns lost = bench.catalog().Read().CurrentRevision(UpdateIdOf(name)).value();
    change.Leave(lost.key, ShardId::FromBytes(lost.header.shard_id()).value());
  }
  EXPECT_TRUE(bench.catalog().Commit(change).ok());
  bench.Restart();
  EXPECT_TRUE(bench.Has("u1"));
  EXPECT_TRUE(bench.Has("u50"));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_EQ(bench.LastSession().method(), v1::SYNC_METHOD_RECONCILE);
  const std::vector<CallGetRecords> calls = bench.All<CallGetRecords>();
  EXPECT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls.empty() ? 0 : calls[0].request.keys_size(), 2);
  std::vector<v1::ReconcileRequest::StepCase> asks;
  for (const SendReconcile& sent : bench.All<SendReconcile>()) {
    asks.push_back(sent.request.step_case());
  }
  return asks;
}

TEST(SyncEngineItemsTest, ComparesByItemsWhatItMostlyHas) {
  EngineBench bench;
  EXPECT_THAT(AsksToHeal(bench), ElementsAre(v1::ReconcileRequest::kSymbolsWanted,
                                             v1::ReconcileRequest::kItemKeysWanted));
}

TEST(SyncEngineItemsTest, ComparesByKeysWithAnUpstreamThatDoesNotKnowItems) {
  EngineBench bench;
  bench.alter_reconcile = [](v1::ReconcileResponse& response) {
    if (response.has_sums()) response.mutable_sums()->clear_symbols();
  };
  EXPECT_THAT(AsksToHeal(bench), ElementsAre(v1::ReconcileRequest::kKeysWanted));
}

TEST(SyncEngineItemsTest, ComparesByKeysWhenItemsDoNotProveTheDifference) {
  EngineBench bench;
  bench.alter_reconcile = [](v1::ReconcileResponse& response) {
    if (!response.symbols().has_fingerprint()) return;
    response.mutable_symbols()->mutable_fingerprint()->set_count(1);
  };
  EXPECT_THAT(AsksToHeal(bench), ElementsAre(v1::ReconcileRequest::kSymbolsWanted,
                                             v1::ReconcileRequest::kItemKeysWanted,
                                             v1::ReconcileRequest::kKeysWanted));
}

}  // namespace
}  // namespace sluice
