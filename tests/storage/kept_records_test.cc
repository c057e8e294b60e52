// What nodes above keep, and this one takes over when it follows another.
#include <vector>

#include "gtest/gtest.h"
#include "storage/payload.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

class KeptRecordsTest : public ::testing::Test {
 protected:
  // The record as the node above has it, kept by `keeper` unless that is nil.
  RecordKey Take(CheckedRecord record, const Uuid& keeper) {
    RecordKey key = RecordKey::FromProto(record.record.key()).value();
    key.kept_by = keeper;
    if (!keeper.is_nil()) record.shard.set_kept_by(keeper.bytes());
    *record.record.mutable_key() = key.ToProto();
    record.record.set_shard_id(ShardId::Of(record.shard).bytes());
    *record.record.mutable_stamp() = Stamp{1, ++number_, above_}.ToProto();
    CatalogChange change;
    change.Accept(std::move(record));
    catalog_.Commit(change);
    return key;
  }
  CommitOutcome Keep(const RecordKey& key) {
    CatalogChange change;
    change.Keep(key);
    return catalog_.Commit(change);
  }
  bool IsHere(const RecordKey& key) { return catalog_.Read().GetColumns(key).ok(); }
  RecordKey OwnOf(RecordKey key) {
    key.kept_by = catalog_->node_id();
    return key;
  }

  static CheckedRecord Policy(const std::vector<v1::DecisionEntry>& decisions) {
    const v1::ShardDefinition shard = ShardOfRevision(MakeRevision({.name = "a"}));
    return PackPolicy(UpdateIdOf("a"), decisions, ShardInStream(shard, v1::STREAM_KIND_POLICY))
        .value();
  }
  static CheckedRecord Revision() { return PackRevision(MakeRevision({.name = "a"}), 4).value(); }

  ~KeptRecordsTest() override {
    EXPECT_TRUE(CheckInvariants(catalog_.Read()).ok()) << CheckInvariants(catalog_.Read());
  }

  const Uuid above_ = Uuid::Random();
  const Uuid keeper_ = Uuid::Random();
  uint32_t number_ = 0;
  TestCatalog catalog_;
};

TEST_F(KeptRecordsTest, TakesOverWhatTheFormerUpstreamKept) {
  const RecordKey kept = Take(Revision(), keeper_);
  EXPECT_EQ(Keep(kept).kept, 1);
  EXPECT_FALSE(IsHere(kept));
  EXPECT_TRUE(IsHere(OwnOf(kept)));
}

TEST_F(KeptRecordsTest, KeepsNothingThatTheUpstreamHasUnkept) {
  const RecordKey kept = Take(Revision(), keeper_);
  const RecordKey regular = Take(Revision(), {});
  const CommitOutcome outcome = Keep(kept);
  EXPECT_EQ(outcome.kept, 0);
  EXPECT_EQ(outcome.left, 1);
  EXPECT_FALSE(IsHere(kept));
  EXPECT_FALSE(IsHere(OwnOf(kept)));
  EXPECT_TRUE(IsHere(regular));
}

TEST_F(KeptRecordsTest, KeepsNothingThatAnotherNodeAboveKeeps) {
  const RecordKey regular = Take(Revision(), {});
  const RecordKey kept = Take(Revision(), keeper_);
  EXPECT_EQ(Keep(regular).kept, 0);
  EXPECT_FALSE(IsHere(OwnOf(regular)));
  EXPECT_TRUE(IsHere(kept));
}

TEST_F(KeptRecordsTest, KeepsNoDecisionThatThePolicyFromAboveHas) {
  Take(Revision(), {});
  const v1::DecisionEntry decline = PackDecision(MakeDecline("a")).value();
  const v1::DecisionEntry approval =
      PackDecision(MakeApproval("a", Uuid::FromName({}, "Pilot"))).value();
  const RecordKey same = Take(Policy({decline}), keeper_);
  Take(Policy({decline}), {});
  EXPECT_EQ(Keep(same).kept, 0);
  EXPECT_FALSE(IsHere(OwnOf(same)));

  const RecordKey more = Take(Policy({approval}), keeper_);
  EXPECT_EQ(Keep(more).kept, 1);
  EXPECT_EQ(catalog_.Read().Decisions(UpdateIdOf("a"))->size(), 2U);
}

}  // namespace
}  // namespace sluice
