#include "upstream/heard_nodes.h"

#include "common/errors.h"
#include "gtest/gtest.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/acknowledgements.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class HeardNodesTest : public ::testing::Test {
 protected:
  static v1::NodeStatus Status(const std::string& name, const std::string& upstream,
                               absl::Time at) {
    v1::NodeStatus status;
    status.set_node_id(Uuid::FromName({}, name).bytes());
    status.set_name(name);
    status.set_upstream_id(Uuid::FromName({}, upstream).bytes());
    status.mutable_reported_at()->set_seconds(absl::ToUnixSeconds(at));
    return status;
  }

  void Hear(const std::vector<v1::NodeStatus>& nodes, absl::Time now) {
    v1::ReportRequest request;
    for (const v1::NodeStatus& node : nodes) *request.add_nodes() = node;
    CatalogChange change;
    ASSERT_TRUE(HearNodes(catalog_.Read(), request, now, change).ok());
    catalog_.Commit(change);
  }

  v1::TreeNode Row(const std::string& name) {
    return catalog_.Read()
        .GetRow<v1::TreeNode>(Family::kNodes, Uuid::FromName({}, name).view())
        .value_or(v1::TreeNode());
  }

  TestCatalog catalog_;
};

TEST_F(HeardNodesTest, ANodeThatIsOnlySpokenOfWasNotHeardOfAgain) {
  const v1::NodeStatus leaf = Status("leaf", "region", kNow);
  Hear({Status("region", "hq", kNow), leaf}, kNow);
  const absl::Time later = kNow + absl::Hours(30);
  Hear({Status("region", "hq", later), leaf}, later);
  EXPECT_EQ(Row("leaf").heard_at().seconds(), absl::ToUnixSeconds(kNow));
  EXPECT_EQ(Row("region").heard_at().seconds(), absl::ToUnixSeconds(later));
  Hear({Status("region", "hq", later), Status("leaf", "region", later)}, later);
  EXPECT_EQ(Row("leaf").heard_at().seconds(), absl::ToUnixSeconds(later));
}

TEST_F(HeardNodesTest, WhatAFormerUpstreamStillSaysCountsForNothing) {
  const absl::Time later = kNow + absl::Minutes(5);
  const v1::NodeStatus before = Status("leaf", "region", kNow);
  Hear({Status("region", "hq", kNow), before}, kNow);
  Hear({Status("other", "hq", later), Status("leaf", "other", later)}, later);
  Hear({Status("region", "hq", later), before}, later);
  EXPECT_EQ(Row("leaf").status().upstream_id(), Uuid::FromName({}, "other").bytes());
}

TEST_F(HeardNodesTest, DoesNotBringBackWhoWasNotHeardOfForNinetyDays) {
  const absl::Time later = kNow + absl::Hours(24 * 91);
  Hear({Status("region", "hq", later), Status("leaf", "region", kNow)}, later);
  EXPECT_EQ(Row("leaf").status().name(), "");
  EXPECT_EQ(Row("region").status().name(), "region");
}

TEST_F(HeardNodesTest, ForgetsWhatItKnewOfANodeThatBeganAnotherHistory) {
  v1::NodeStatus region = Status("region", "hq", kNow);
  Hear({region}, kNow);
  v1::UpdateAcknowledgement said;
  said.set_node_id(region.node_id());
  said.set_update_id(UpdateIdOf("a").bytes());
  said.set_policy_digest("decisions");
  CatalogChange first;
  ASSERT_TRUE(PutAcknowledgement(catalog_.Read(), said, first).ok());
  catalog_.Commit(first);
  v1::ReportRequest report;
  *report.add_nodes() = region;
  CatalogChange nothing;
  ASSERT_TRUE(ForgetFormerHistories(catalog_.Read(), report, nothing).ok());
  catalog_.Commit(nothing);
  const Uuid id = Uuid::FromName({}, "region");
  EXPECT_NE(ReadAcknowledgement(catalog_.Read(), id, UpdateIdOf("a"))->update_id(), "");
  report.mutable_nodes(0)->mutable_epoch()->set_epoch_id("another");
  CatalogChange former;
  ASSERT_TRUE(ForgetFormerHistories(catalog_.Read(), report, former).ok());
  catalog_.Commit(former);
  EXPECT_EQ(ReadAcknowledgement(catalog_.Read(), id, UpdateIdOf("a"))->update_id(), "");
}

TEST_F(HeardNodesTest, RefusesAReportThatWasOvertakenButNotOneByAClockThatWasSetBack) {
  Hear({Status("region", "hq", kNow)}, kNow);
  v1::ReportRequest report;
  *report.add_nodes() = Status("region", "hq", kNow - absl::Seconds(5));
  EXPECT_EQ(ReasonOf(CheckNotLate(catalog_.Read(), report)), v1::REASON_STALE_VERSION);
  *report.mutable_nodes(0) = Status("region", "hq", kNow - absl::Hours(5));
  EXPECT_TRUE(CheckNotLate(catalog_.Read(), report).ok());
  *report.mutable_nodes(0) = Status("region", "hq", kNow);
  EXPECT_TRUE(CheckNotLate(catalog_.Read(), report).ok());
}

TEST_F(HeardNodesTest, RefusesWhatIsNoNodeId) {
  v1::ReportRequest request;
  request.add_nodes()->set_node_id("short");
  CatalogChange change;
  EXPECT_EQ(ReasonOf(HearNodes(catalog_.Read(), request, kNow, change)),
            v1::REASON_INVALID_REQUEST);
}

}  // namespace
}  // namespace sluice
