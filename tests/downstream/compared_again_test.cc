// A comparison is of one moment; what comes after it may want another one.
#include <utility>

#include "gtest/gtest.h"
#include "storage/payload.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

// An upstream that went back to before a deletion has the record again, with a stamp that is older
// than the tombstone here, and may say so just after it was compared.
TEST(ComparedAgainTest, ComparesForWhatCameSinceItCompared) {
  EngineBench bench;
  TestCatalog& upstream = bench.upstream();
  for (const std::string product : {"Contoso/Agent", "Fabrikam/Tool"}) upstream.AddProduct(product);
  const RecordKey key = upstream.AddUpdate({.name = "u", .product = "Contoso/Agent"});
  upstream.AddUpdate({.name = "other", .product = "Fabrikam/Tool"});
  const ShardInfo shard =
      upstream.Read()
          .Shard(*ShardId::FromBytes(upstream.Read().GetColumns(key)->header.shard_id()))
          .value();
  CheckedRecord record =
      CheckRecord(upstream.Read().GetRecord(key).value(), shard.definition).value();
  bench.Subscribe(SubscriptionTo({"Contoso"}));
  bench.Start();
  CatalogChange deletion;
  deletion.Delete(key);
  upstream.Commit(deletion);
  bench.Run();
  ASSERT_FALSE(bench.Has("u"));

  bool back = false;
  bench.alter_records = [&](v1::GetRecordsResponse&) {
    if (std::exchange(back, true)) return;
    CatalogChange change;
    change.Leave(key, shard.id);
    change.Accept(std::move(record));
    upstream.Commit(change);
  };
  bench.Subscribe(SubscriptionTo({"Contoso", "Fabrikam"}));
  ASSERT_TRUE(back);
  EXPECT_TRUE(bench.Has("u") && bench.Has("other"));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

}  // namespace
}  // namespace sluice
