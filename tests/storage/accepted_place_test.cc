// Where records from above are placed.
#include "gtest/gtest.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

const Uuid kAbove = Uuid::FromName({}, "above");

// The decline of "a" as the node above has it: decided at `version`, in the shard of a product.
CheckedRecord DeclineAbove(uint32_t version, const std::string& product) {
  v1::DecisionEntry entry = *PackDecision(MakeDecline("a"));
  *entry.mutable_stamp() = Stamp{1, version, kAbove}.ToProto();
  const v1::ShardDefinition shard = ShardInStream(
      ShardOfRevision(MakeRevision({.name = "a", .product = product})), v1::STREAM_KIND_POLICY);
  CheckedRecord packed = *PackPolicy(UpdateIdOf("a"), {entry}, shard);
  *packed.record.mutable_stamp() = entry.stamp();
  return packed;
}

// A node above that was restored has the same decision with an older stamp, and where it was then.
TEST(AcceptedPlaceTest, IsThatOfTheNodeAboveThoughItsStampIsOlder) {
  TestCatalog catalog;
  for (const auto& record : {DeclineAbove(9, "Contoso/Tool"), DeclineAbove(4, "Contoso/Agent")}) {
    CatalogChange change;
    change.Accept(record);
    catalog.Commit(change);
  }
  const auto policy = catalog.Read().GetColumns({v1::RECORD_KIND_POLICY, UpdateIdOf("a"), 0, {}});
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->header.shard_id(), DeclineAbove(4, "Contoso/Agent").record.shard_id());
  EXPECT_TRUE(CheckInvariants(catalog.Read()).ok()) << CheckInvariants(catalog.Read());
}

}  // namespace
}  // namespace sluice
