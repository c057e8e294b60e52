#include "storage/site_notices.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "storage/content_wants.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "storage/promotion.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Selection Everything(const TestCatalog& catalog) {
  return Selection::Expand(catalog.Read(), v1::Subscription()).value();
}

// Puts a notice of `node` into the catalog as the node above would send it.
RecordKey TakeFromAbove(TestCatalog& catalog, const v1::SiteNotice& notice) {
  CheckedRecord packed = PackSiteNotice(notice).value();
  *packed.record.mutable_stamp() = Stamp{1, 1, *Uuid::FromBytes(notice.node_id())}.ToProto();
  const RecordKey key = *RecordKey::FromProto(packed.record.key());
  CatalogChange change;
  change.Accept(std::move(packed));
  catalog.Commit(change);
  return key;
}

v1::SiteNotice Strictest(const TestCatalog& catalog, absl::Time now) {
  const auto notice = HeldBack(catalog.Read(), UpdateIdOf("a"), now);
  EXPECT_TRUE(notice.ok()) << notice.status();
  return notice->value_or(v1::SiteNotice());
}

TEST(SiteNoticesTest, TheStrictestOfAllNodesCounts) {
  TestCatalog catalog;
  const Uuid region = Uuid::Random();
  const Uuid hq = Uuid::Random();
  EXPECT_FALSE(HeldBack(catalog.Read(), UpdateIdOf("a"), kNow)->has_value());
  TakeFromAbove(catalog, MakeHold("a", region, kNow + absl::Hours(1)));
  TakeFromAbove(catalog, MakeHold("a", hq, kNow + absl::Hours(2)));
  TakeFromAbove(catalog, MakeSuppression("b", hq));
  EXPECT_EQ(Strictest(catalog, kNow).node_id(), hq.bytes());
  EXPECT_EQ(HeldUntil(Strictest(catalog, kNow)), kNow + absl::Hours(2));
  // To the instant.
  EXPECT_EQ(Strictest(catalog, kNow + absl::Hours(2)).node_id(), "");
  TakeFromAbove(catalog, MakeSuppression("a", catalog->node_id()));
  EXPECT_TRUE(Strictest(catalog, kNow + absl::Hours(2)).suppressed());
}

TEST(SiteNoticesTest, DifferWhereAnythingIsSaidOtherwise) {
  TestCatalog catalog;
  const Uuid hq = Uuid::Random();
  TakeFromAbove(catalog, MakeSuppression("a", hq));
  const SiteNotices before = SiteNotices::Read(catalog.Read()).value();
  EXPECT_THAT(before.Differing(before), IsEmpty());
  const RecordKey key = TakeFromAbove(catalog, MakeSuppression("b", hq));
  const SiteNotices after = SiteNotices::Read(catalog.Read()).value();
  EXPECT_THAT(before.Differing(after), ElementsAre(UpdateIdOf("b")));
  EXPECT_THAT(after.Differing(before), ElementsAre(UpdateIdOf("b")));
  CatalogChange change;
  change.Delete(key);
  catalog.Commit(change);
  EXPECT_THAT(SiteNotices::Read(catalog.Read())->Differing(before), IsEmpty());
}

TEST(SiteNoticesTest, ARecordUnderAnotherNodesNameIsRefused) {
  const Uuid hq = Uuid::Random();
  CheckedRecord packed = PackSiteNotice(MakeSuppression("a", hq)).value();
  *packed.record.mutable_stamp() = Stamp{1, 1, hq}.ToProto();
  EXPECT_TRUE(CheckRecord(packed.record, SiteShard(hq)).ok());
  const Uuid other = Uuid::Random();
  packed.record.set_shard_id(ShardId::Of(SiteShard(other)).bytes());
  EXPECT_EQ(ReasonOf(CheckRecord(packed.record, SiteShard(other)).status()),
            v1::REASON_ITEM_CORRUPT);
  packed.record.set_shard_id(ShardId::Of(SiteShard(hq)).bytes());
  packed.record.mutable_key()->set_id(SiteNoticeId(other, UpdateIdOf("a")).bytes());
  EXPECT_EQ(ReasonOf(CheckRecord(packed.record, SiteShard(hq)).status()), v1::REASON_ITEM_CORRUPT);
}

TEST(SiteNoticesTest, ANoticeThatHoldsNothingBackIsNone) {
  v1::SiteNotice notice = MakeSuppression("a", Uuid::Random());
  notice.set_suppressed(false);
  EXPECT_TRUE(absl::IsInvalidArgument(PackSiteNotice(notice).status()));
}

// An operator hides an update whose files are on their way.
TEST(SiteNoticesTest, FilesOfWhatIsSuppressedAreNotWanted) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "a", .contents = {"bytes"}});
  catalog.Approve("a");
  ContentWants wants(
      *catalog, [](const ContentInfo&) { return true; }, 1);
  ASSERT_TRUE(wants.RecomputeAll(Everything(catalog), kNow).ok());
  ASSERT_EQ(wants.ready_updates(), 1);
  const RecordKey key = TakeFromAbove(catalog, MakeSuppression("a", Uuid::Random()));
  ASSERT_TRUE(wants.Recompute(Everything(catalog), {key}, kNow).ok());
  EXPECT_EQ(wants.wanted(), 0);
  EXPECT_EQ(wants.approved_updates(), 0);
  EXPECT_THAT(FilesWantedFor(catalog.Read(), UpdateIdOf("a"), Everything(catalog))->files,
              IsEmpty());
  CatalogChange change;
  change.Delete(key);
  catalog.Commit(change);
  ASSERT_TRUE(wants.Recompute(Everything(catalog), {key}, kNow).ok());
  EXPECT_EQ(wants.ready_updates(), 1);
}

TEST(SiteNoticesTest, WhatIsHeldIsFetchedAheadAndReadyWhenTheTimeHasCome) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "a", .contents = {"bytes"}});
  catalog.Approve("a");
  const absl::Time until = kNow + absl::Hours(1);
  TakeFromAbove(catalog, MakeHold("a", Uuid::Random(), until));
  ContentWants wants(
      *catalog, [](const ContentInfo&) { return true; }, 1);
  ASSERT_TRUE(wants.RecomputeAll(Everything(catalog), kNow).ok());
  EXPECT_EQ(wants.wanted(), 1);
  EXPECT_EQ(wants.approved_updates(), 1);
  EXPECT_EQ(wants.ready_updates(), 0);
  EXPECT_EQ(wants.next_due(), until);
  EXPECT_THAT(wants.TakeLapsed(until - absl::Seconds(1)), IsEmpty());
  EXPECT_THAT(wants.TakeLapsed(until), ElementsAre(UpdateIdOf("a")));
  EXPECT_EQ(wants.ready_updates(), 1);
  EXPECT_EQ(wants.next_due(), absl::InfiniteFuture());
}

TEST(SiteNoticesTest, APromotedNodeForgetsWhatNodesAboveHeldBack) {
  TestCatalog catalog;
  const Uuid hq = Uuid::Random();
  TakeFromAbove(catalog, MakeSuppression("a", hq));
  TakeFromAbove(catalog, MakeHold("a", catalog->node_id(), kNow + absl::Hours(1)));
  ASSERT_TRUE(TakeOver(*catalog).ok());
  EXPECT_EQ(Strictest(catalog, kNow).node_id(), catalog->node_id().bytes());
  EXPECT_TRUE(CheckInvariants(catalog.Read()).ok()) << CheckInvariants(catalog.Read());
}

}  // namespace
}  // namespace sluice
