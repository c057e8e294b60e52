#include "upstream/tree_service.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_content_store.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Uuid NodeOf(absl::string_view name) { return Uuid::FromName({}, name); }

// A root that has heard of nodes below it.
class TreeServiceTest : public ::testing::Test {
 protected:
  TreeServiceTest()
      : service_(*catalog_, content_, clock_,
                 {.upstream_target = "", .self = [] { return Status("hq", ""); }}) {}

  static v1::NodeStatus Status(absl::string_view name, absl::string_view upstream) {
    v1::NodeStatus status;
    status.set_node_id(NodeOf(name).bytes());
    status.set_name(std::string(name));
    if (!upstream.empty()) status.set_upstream_id(NodeOf(upstream).bytes());
    status.mutable_epoch()->set_epoch_id(NodeOf("epoch").bytes());
    status.set_head_seq(100);
    return status;
  }

  void Hear(absl::string_view name, absl::string_view upstream, uint64_t cursor) {
    v1::TreeNode node;
    *node.mutable_status() = Status(name, upstream);
    v1::Cursor& followed = *node.mutable_status()->mutable_cursor();
    followed.set_upstream_id(NodeOf(upstream).bytes());
    followed.mutable_epoch()->set_epoch_id(NodeOf("epoch").bytes());
    followed.set_seq(cursor);
    CatalogChange change;
    change.PutRow(Family::kNodes, NodeOf(name).view(), node);
    catalog_.Commit(change);
  }

  std::vector<std::string> Names(const v1::ListNodesResponse& response) {
    std::vector<std::string> names;
    for (const v1::TreeNode& node : response.nodes()) names.push_back(node.status().name());
    return names;
  }

  TestCatalog catalog_;
  MemoryContentStore content_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  TreeService service_;
};

TEST_F(TreeServiceTest, ListsParentsBeforeTheirChildrenWithDepthAndLag) {
  Hear("leaf", "region", 70);
  Hear("region", "hq", 100);
  const auto response = service_.ListNodes({});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(Names(*response), ElementsAre("hq", "region", "leaf"));
  EXPECT_EQ(response->nodes(0).depth(), 0);
  EXPECT_EQ(response->nodes(0).lag(), 0);
  EXPECT_EQ(response->nodes(1).lag(), 0);
  EXPECT_EQ(response->nodes(2).depth(), 2);
  EXPECT_EQ(response->nodes(2).lag(), 30);
  EXPECT_EQ(response->nodes(2).node_id(), NodeOf("leaf").ToString());
  EXPECT_EQ(response->nodes(2).upstream_id(), NodeOf("region").ToString());
}

TEST_F(TreeServiceTest, KnowsNoLagOfANodeThatFollowsAnotherHistory) {
  Hear("region", "hq", 10);
  v1::TreeNode node =
      *catalog_.Read().GetRow<v1::TreeNode>(Family::kNodes, NodeOf("region").view());
  node.mutable_status()->mutable_cursor()->mutable_epoch()->set_epoch_id(NodeOf("another").bytes());
  CatalogChange change;
  change.PutRow(Family::kNodes, NodeOf("region").view(), node);
  catalog_.Commit(change);
  EXPECT_EQ(service_.ListNodes({})->nodes(1).lag(), -1);
}

TEST_F(TreeServiceTest, VisitsNodesThatReportACircleOnce) {
  Hear("region", "hq", 1);
  Hear("hq", "region", 1);
  EXPECT_THAT(service_.ListNodes({})->nodes(), SizeIs(3));
}

TEST_F(TreeServiceTest, PagesThroughTheNodes) {
  Hear("region", "hq", 1);
  Hear("leaf", "region", 1);
  v1::ListNodesRequest request;
  request.set_page_size(2);
  const v1::ListNodesResponse first = *service_.ListNodes(request);
  EXPECT_THAT(Names(first), ElementsAre("hq", "region"));
  request.set_page_token(first.next_page_token());
  const v1::ListNodesResponse second = *service_.ListNodes(request);
  EXPECT_THAT(Names(second), ElementsAre("leaf"));
  EXPECT_THAT(second.next_page_token(), IsEmpty());
  request.set_page_token("Z2FyYmFnZQ");
  EXPECT_EQ(ReasonOf(service_.ListNodes(request).status()), v1::REASON_INVALID_REQUEST);
}

TEST_F(TreeServiceTest, DescribesItself) {
  service_.SetListeners({"127.0.0.1:8530"});
  const v1::GetNodeResponse response = *service_.GetNode();
  EXPECT_EQ(response.node().node_id(), NodeOf("hq").ToString());
  EXPECT_THAT(response.listeners(), ElementsAre("127.0.0.1:8530"));
}

}  // namespace
}  // namespace sluice
