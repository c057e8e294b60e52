// Releases that differ by one: what a node in the middle does with what it does not know.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/payload.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::SizeIs;

// A kind and fields that no release knows yet.
constexpr int kKindOfNewerRelease = 99;
constexpr int kField = 4000;

template <typename Message>
void AddUnknownField(Message& message, uint64_t value) {
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(kField, value);
}

template <typename Message>
uint64_t UnknownField(const Message& message) {
  const google::protobuf::UnknownFieldSet& unknown =
      message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    if (unknown.field(i).number() == kField) return unknown.field(i).varint();
  }
  return 0;
}

TEST(VersionSkewTest, FieldsOfANewerReleasePassThroughANodeInTheMiddle) {
  EngineBench bench;
  v1::Category category;
  category.set_category_id(ProductIdOfPath("Contoso").bytes());
  category.set_kind(v1::CATEGORY_KIND_VENDOR);
  category.set_path("Contoso");
  category.set_name("Contoso");
  AddUnknownField(category, 1);
  CheckedRecord packed = *PackCategory(category);
  packed.record.mutable_stamp()->set_origin_id(bench.upstream()->node_id().bytes());
  packed.record.mutable_stamp()->set_epoch_counter(5);
  packed.record.mutable_stamp()->set_version(1);
  AddUnknownField(packed.record, 2);
  v1::Decision decision = MakeDecline("u");
  AddUnknownField(decision, 3);
  v1::DecisionEntry entry = *PackDecision(decision);
  *entry.mutable_stamp() = packed.record.stamp();
  AddUnknownField(entry, 4);
  CheckedRecord policy = *PackPolicy(
      UpdateIdOf("u"), {entry},
      ShardInStream(ShardOfRevision(MakeRevision({.name = "u"})), v1::STREAM_KIND_POLICY));
  *policy.record.mutable_stamp() = entry.stamp();
  CatalogChange change;
  change.Accept(*CheckRecord(packed.record, packed.shard));
  change.Accept(*CheckRecord(policy.record, policy.shard));
  bench.upstream().Commit(change);

  bench.Start();
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  ManualClock clock(bench.now());
  ReplicationServer middle(bench.catalog(), clock, {.node_name = "middle"});
  v1::GetRecordsRequest request;
  *request.add_keys() = packed.record.key();
  *request.add_keys() = policy.record.key();
  const v1::GetRecordsResponse below = *middle.GetRecords(request);
  ASSERT_EQ(below.items_size(), 2);
  const v1::Record& record = below.items(0).record();
  EXPECT_EQ(record.body(), packed.record.body());
  EXPECT_EQ(UnknownField(*UnpackCategory(record)), 1U);
  EXPECT_EQ(UnknownField(record), 2U);
  ASSERT_EQ(below.items(1).record().decisions_size(), 1);
  const v1::DecisionEntry& passed_on = below.items(1).record().decisions(0);
  EXPECT_EQ(UnknownField(*UnpackDecision(passed_on)), 3U);
  EXPECT_EQ(UnknownField(passed_on), 4U);
}

TEST(VersionSkewTest, AKindOfANewerReleaseIsNamedAndComesAfterAnUpgrade) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "known"});
  v1::TargetGroup group;
  group.set_group_id(UpdateIdOf("group").bytes());
  group.set_name("Pilot");
  CatalogChange change;
  change.Originate(*PackTargetGroup(group));
  bench.upstream().Commit(change);
  // Target groups are what this release does not know.
  const auto disguise = [](v1::RecordKey& key) {
    if (key.kind() != v1::RECORD_KIND_TARGET_GROUP) return;
    key.set_kind(static_cast<v1::RecordKind>(kKindOfNewerRelease));
  };
  bench.alter_changes = [disguise](v1::ChangesResponse& response) {
    if (!response.has_batch()) return;
    for (v1::Change& entry : *response.mutable_batch()->mutable_changes()) {
      if (entry.has_record()) disguise(*entry.mutable_record()->mutable_key());
    }
  };
  bench.alter_reconcile = [disguise](v1::ReconcileResponse& response) {
    if (!response.has_keys()) return;
    for (v1::KeyDigest& entry : *response.mutable_keys()->mutable_records()) {
      disguise(*entry.mutable_key());
    }
  };
  bench.Start();
  const v1::Session session = bench.LastSession();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_PARTIAL) << session.DebugString();
  ASSERT_EQ(session.items_failed(), 1) << session.DebugString();
  EXPECT_EQ(session.items(0).status().reason(), "ITEM_TOO_NEW");
  EXPECT_TRUE(bench.Has("known")) << "all else goes on";
  const auto missing =
      bench.catalog().Read().ListRows<stored::v1::MissingRow>(Family::kMissing, "", "", 10).value();
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].second.status().reason(), "ITEM_TOO_NEW");

  bench.alter_changes = [](v1::ChangesResponse&) {};
  bench.alter_reconcile = [](v1::ReconcileResponse&) {};
  bench.Restart();
  EXPECT_EQ(bench.Ours(), bench.Theirs());
  EXPECT_TRUE(bench.catalog()
                  .Read()
                  .GetColumns({v1::RECORD_KIND_TARGET_GROUP, UpdateIdOf("group"), 0, {}})
                  .ok());
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

TEST(VersionSkewTest, EventsOfANewerReleaseArePassedOver) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "u"});
  bench.Start();
  v1::ChangesResponse unknown;
  AddUnknownField(unknown, 1);
  ASSERT_EQ(unknown.event_case(), v1::ChangesResponse::EVENT_NOT_SET);
  bench.Tell(ChangesReceived{bench.All<OpenChanges>().back().call, unknown});
  EXPECT_TRUE(bench.engine().watching());
  bench.upstream().AddUpdate({.name = "later"});
  bench.Run();
  EXPECT_TRUE(bench.Has("later"));
}

// Of what an older upstream no longer has, it does not say what became of it.
TEST(VersionSkewTest, TakesAnOlderUpstreamsWordForADeletion) {
  EngineBench bench;
  for (const std::string name : {"u0", "u1"}) bench.upstream().AddUpdate({.name = name});
  bench.Start();
  bench.alter_records = [](v1::GetRecordsResponse& response) {
    for (v1::GetRecordsItem& item : *response.mutable_items()) {
      if (item.status().reason() == "ITEM_PURGED") item.clear_record();
    }
  };
  bench.CutChanges();
  CatalogChange change;
  change.Delete(bench.upstream().Read().CurrentRevision(UpdateIdOf("u0"))->key);
  bench.upstream().Commit(change);
  // Its tombstone is passed over, so that only comparing can tell.
  v1::Cursor cursor = bench.Cursor();
  cursor.set_seq(bench.upstream()->durable_head());
  change = CatalogChange();
  change.SetCursor(cursor);
  ASSERT_TRUE(bench.catalog().Commit(change).ok());
  bench.Restart();
  EXPECT_FALSE(bench.Has("u0"));
  EXPECT_EQ(bench.Ours(), bench.Theirs());
}

}  // namespace
}  // namespace sluice
