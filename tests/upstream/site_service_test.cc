#include "upstream/site_service.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "storage/memory_content_store.h"
#include "storage/payload.h"
#include "storage/selection.h"
#include "storage/site_notices.h"
#include "tests/storage/test_catalog.h"
#include "upstream/catalog_service.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'100);

google::protobuf::Timestamp At(absl::Time time) {
  return google::protobuf::util::TimeUtil::SecondsToTimestamp(absl::ToUnixSeconds(time));
}

class SiteServiceTest : public ::testing::Test {
 protected:
  SiteServiceTest() {
    context_.local_identity = "local:test";
    for (const char* name : {"a", "b"}) catalog_.AddUpdate({.name = name});
  }

  v1::NoticeResult Hold(absl::string_view update, absl::Time until, bool validate_only = false) {
    v1::HoldUpdatesRequest request;
    request.add_update_ids(UpdateIdOf(update).ToString());
    *request.mutable_held_until() = At(until);
    request.set_comment("after the holidays");
    request.set_validate_only(validate_only);
    const auto response = service_.Hold(context_, request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->results(0) : v1::NoticeResult();
  }
  v1::NoticeResult Suppress(absl::string_view update) {
    v1::SuppressUpdatesRequest request;
    request.add_update_ids(UpdateIdOf(update).ToString());
    return service_.Suppress(context_, request)->results(0);
  }
  v1::NoticeResult Release(absl::string_view update) {
    v1::ReleaseUpdatesRequest request;
    request.add_update_ids(UpdateIdOf(update).ToString());
    return service_.Release(context_, request)->results(0);
  }
  std::optional<v1::SiteNotice> Present(absl::string_view update) {
    return HeldBack(catalog_.Read(), UpdateIdOf(update), clock_.Now()).value();
  }
  int AuditEntries() { return audit_.List({})->entries_size(); }

  TestCatalog catalog_;
  ManualClock clock_{kNow};
  Audit audit_{*catalog_, clock_};
  SiteService service_{*catalog_, audit_, clock_, "region"};
  CallContext context_;
};

TEST_F(SiteServiceTest, HoldsUntilATimeAndSaysSoInTheAudit) {
  EXPECT_TRUE(Hold("a", kNow + absl::Hours(1), /*validate_only=*/true).changed());
  EXPECT_FALSE(Present("a").has_value());
  const v1::NoticeResult result = Hold("a", kNow + absl::Hours(1));
  EXPECT_TRUE(result.changed());
  EXPECT_EQ(result.title(), "a");
  ASSERT_TRUE(Present("a").has_value());
  EXPECT_EQ(Present("a")->comment(), "after the holidays");
  ASSERT_EQ(AuditEntries(), 1);
  const v1::AuditEntry entry = audit_.List({})->entries(0);
  EXPECT_EQ(entry.action(), "hold");
  EXPECT_EQ(entry.subject(), "a");
  EXPECT_THAT(entry.detail(), HasSubstr("until 2023-11-14T23:15:00"));
  EXPECT_FALSE(Hold("a", kNow + absl::Hours(1)).changed()) << "it was so already";
  EXPECT_EQ(AuditEntries(), 1);
}

TEST_F(SiteServiceTest, TheLastWordCounts) {
  Hold("a", kNow + absl::Hours(1));
  EXPECT_TRUE(Suppress("a").changed());
  EXPECT_TRUE(Present("a")->suppressed());
  EXPECT_TRUE(Hold("a", kNow + absl::Hours(2)).changed());
  EXPECT_FALSE(Present("a")->suppressed());
}

TEST_F(SiteServiceTest, ReleasingLeavesATombstoneThatReplicates) {
  Suppress("a");
  EXPECT_TRUE(Release("a").changed());
  EXPECT_FALSE(Present("a").has_value());
  EXPECT_FALSE(Release("a").changed());
  const RecordKey key = {
      v1::RECORD_KIND_SITE, SiteNoticeId(catalog_->node_id(), UpdateIdOf("a")), 0, {}};
  EXPECT_TRUE(catalog_.Read().TombstoneShard(key)->has_value());
  EXPECT_TRUE(Suppress("a").changed()) << "it can be suppressed again";
  EXPECT_TRUE(Present("a").has_value());
}

TEST_F(SiteServiceTest, OneUpdatesFailureDoesNotStopTheOthers) {
  v1::SuppressUpdatesRequest request;
  request.add_update_ids(UpdateIdOf("nobody knows it").ToString());
  request.add_update_ids("no id");
  request.add_update_ids(UpdateIdOf("b").ToString());
  const auto response = service_.Suppress(context_, request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->results(0).status().reason(), "ITEM_NOT_FOUND");
  EXPECT_NE(response->results(1).status().code(), 0);
  EXPECT_EQ(response->results(2).status().code(), 0);
  EXPECT_TRUE(Present("b").has_value());
}

TEST_F(SiteServiceTest, RefusesAHoldThatIsOver) {
  v1::HoldUpdatesRequest request;
  request.add_update_ids(UpdateIdOf("a").ToString());
  EXPECT_TRUE(absl::IsInvalidArgument(service_.Hold(context_, request).status()));
  *request.mutable_held_until() = At(kNow);
  EXPECT_TRUE(absl::IsInvalidArgument(service_.Hold(context_, request).status()));
  request.clear_update_ids();
  EXPECT_TRUE(absl::IsInvalidArgument(service_.Suppress(context_, {}).status()));
}

TEST_F(SiteServiceTest, ListsNoticesOfAllNodesPageByPage) {
  const Uuid hq = Uuid::Random();
  CheckedRecord above = PackSiteNotice(MakeSuppression("b", hq)).value();
  *above.record.mutable_stamp() = Stamp{1, 1, hq}.ToProto();
  CatalogChange change;
  change.Accept(std::move(above));
  v1::HelloResponse hello;
  hello.set_node_id(hq.bytes());
  hello.set_node_name("hq");
  change.PutRow(Family::kSettings, kUpstreamHelloSetting, hello);
  catalog_.Commit(change);
  Suppress("a");
  v1::ListNoticesRequest request;
  request.set_page_size(1);
  std::map<std::string, std::string> by_node;
  for (int page = 0; page < 2; ++page) {
    const auto response = service_.List(request);
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_THAT(response->notices(), SizeIs(1));
    const v1::NoticeStatus& status = response->notices(0);
    EXPECT_EQ(status.own(), status.node_name() == "region");
    by_node[status.node_name()] = status.title();
    request.set_page_token(response->next_page_token());
  }
  EXPECT_EQ(request.page_token(), "");
  EXPECT_EQ(by_node, (std::map<std::string, std::string>{{"hq", "b"}, {"region", "a"}}));
}

TEST_F(SiteServiceTest, SummariesSayWhoHoldsBackWhatIsApproved) {
  catalog_.Approve("a");
  Hold("a", kNow + absl::Hours(1));
  Suppress("b");
  MemoryContentStore content;
  CatalogService catalog_service(*catalog_, content, clock_);
  const auto state_of = [&](absl::string_view update) {
    v1::GetUpdateRequest request;
    request.set_update_id(UpdateIdOf(update).ToString());
    return catalog_service.GetUpdate(request)->summary();
  };
  EXPECT_EQ(state_of("a").state(), v1::UPDATE_STATE_HELD_BACK);
  EXPECT_EQ(state_of("a").held_back_by(), "this node");
  EXPECT_EQ(state_of("b").state(), v1::UPDATE_STATE_NOT_APPROVED) << "there is nothing to hold";
  v1::ListUpdatesRequest request;
  request.mutable_filter()->set_state(v1::UPDATE_STATE_HELD_BACK);
  EXPECT_THAT(catalog_service.ListUpdates(request)->updates(), SizeIs(1));
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(state_of("a").state(), v1::UPDATE_STATE_APPROVED);
}

}  // namespace
}  // namespace sluice
