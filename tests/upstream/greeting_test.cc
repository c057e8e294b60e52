// What a node says when one below greets it.
#include "common/errors.h"
#include "gtest/gtest.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/selection.h"
#include "tests/storage/test_catalog.h"
#include "upstream/replication_server.h"

namespace sluice {
namespace {

const Uuid kChild = Uuid::FromName({}, "child");

class GreetingTest : public ::testing::Test {
 protected:
  v1::HelloRequest HelloOf(const Uuid& node) {
    v1::HelloRequest request;
    request.set_node_id(node.bytes());
    request.set_node_name("child");
    request.set_protocol_min(1);
    request.set_protocol_max(1);
    return request;
  }

  // One update, and a child that has it.
  v1::HelloRequest HelloOfOneWithEverything() {
    catalog_.AddUpdate({.name = "a"});
    v1::HelloRequest request = HelloOf(kChild);
    *request.mutable_cursor() = CursorAt(catalog_->durable_head());
    const CatalogReader reader = catalog_.Read();
    *request.mutable_fingerprint() =
        SelectionFingerprint(reader, *Selection::Expand(reader, {}), Uuid())->ToProto();
    return request;
  }

  // As the server itself would have given it out.
  v1::Cursor CursorAt(uint64_t seq) {
    v1::Cursor cursor;
    cursor.set_upstream_id(catalog_->node_id().bytes());
    *cursor.mutable_epoch() = catalog_->epoch();
    cursor.set_seq(seq);
    cursor.set_selection_hash(Selection::Expand(catalog_.Read(), {}).value().hash().bytes());
    return cursor;
  }

  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  int reports_ = 0;
  ReplicationServer server_{
      *catalog_, clock_, {.node_name = "hq", .on_report = [this] { ++reports_; }}};
};

TEST_F(GreetingTest, TellsANewChildToBeginAtTheBeginning) {
  const absl::StatusOr<v1::HelloResponse> hello = server_.Hello(HelloOf(kChild));
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->verdict(), v1::HELLO_VERDICT_TAIL);
  EXPECT_EQ(hello->node_id(), catalog_->node_id().bytes());
}

TEST_F(GreetingTest, SaysUpToDateWhenNothingChanged) {
  v1::HelloRequest request = HelloOfOneWithEverything();
  EXPECT_EQ(server_.Hello(request)->verdict(), v1::HELLO_VERDICT_UP_TO_DATE);
  request.mutable_fingerprint()->set_count(99);
  EXPECT_EQ(server_.Hello(request)->verdict(), v1::HELLO_VERDICT_TAIL);
}

TEST_F(GreetingTest, HearsOfAKnownChildByAGreetingThatAsksForNothing) {
  const v1::HelloRequest request = HelloOfOneWithEverything();
  ASSERT_EQ(server_.Hello(request)->verdict(), v1::HELLO_VERDICT_UP_TO_DATE);
  EXPECT_FALSE(catalog_.Read().GetRow<v1::TreeNode>(Family::kNodes, kChild.view()).ok());
  v1::ReportRequest report;
  report.add_nodes()->set_node_id(kChild.bytes());
  ASSERT_TRUE(server_.Report(report).ok());
  clock_.Advance(absl::Hours(1));
  ASSERT_EQ(server_.Hello(request)->verdict(), v1::HELLO_VERDICT_UP_TO_DATE);
  const auto node = catalog_.Read().GetRow<v1::TreeNode>(Family::kNodes, kChild.view());
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(node->heard_at().seconds(), absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(node->status().last_success().seconds(), absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(reports_, 2);
}

TEST_F(GreetingTest, LetsAChildComeThatHasSomethingToHear) {
  const v1::HelloRequest request = HelloOfOneWithEverything();
  server_.board().Call(kChild);
  EXPECT_EQ(server_.Hello(request)->verdict(), v1::HELLO_VERDICT_TAIL);
  v1::ReportRequest report;
  report.add_nodes()->set_node_id(kChild.bytes());
  ASSERT_TRUE(server_.Report(report).ok());
  EXPECT_EQ(server_.Hello(request)->verdict(), v1::HELLO_VERDICT_UP_TO_DATE);
  server_.board().WantParity(clock_.Now());
  EXPECT_EQ(server_.Hello(request)->verdict(), v1::HELLO_VERDICT_TAIL);
}

TEST_F(GreetingTest, NamesWhyAChildMustCompareFirst) {
  catalog_.AddUpdate({.name = "a"});
  v1::HelloRequest request = HelloOf(kChild);
  const v1::Cursor good = CursorAt(1);
  const auto reason_of = [&](const v1::Cursor& cursor) {
    *request.mutable_cursor() = cursor;
    const v1::HelloResponse hello = server_.Hello(request).value();
    EXPECT_EQ(hello.verdict(), v1::HELLO_VERDICT_RECONCILE);
    return hello.verdict_reason();
  };
  v1::Cursor cursor = good;
  cursor.set_upstream_id(Uuid::Random().bytes());
  EXPECT_EQ(reason_of(cursor), "UPSTREAM_CHANGED");
  cursor = good;
  cursor.mutable_epoch()->set_epoch_id(Uuid::Random().bytes());
  EXPECT_EQ(reason_of(cursor), "EPOCH_CHANGED");
  cursor = good;
  cursor.set_seq(1000);
  EXPECT_EQ(reason_of(cursor), "SEQ_AHEAD");
  cursor = good;
  cursor.set_selection_hash("other");
  EXPECT_EQ(reason_of(cursor), "SELECTION_CHANGED");
}

TEST_F(GreetingTest, RefusesItselfANodeAboveItAndTooDeepATree) {
  EXPECT_EQ(ReasonOf(server_.Hello(HelloOf(catalog_->node_id())).status()),
            v1::REASON_DUPLICATE_NODE);
  v1::HelloResponse above;
  above.set_node_id(Uuid::FromName({}, "parent").bytes());
  above.add_ancestors(kChild.bytes());
  CatalogChange change;
  change.PutRow(Family::kSettings, kUpstreamHelloSetting, above);
  catalog_.Commit(change);
  EXPECT_EQ(ReasonOf(server_.Hello(HelloOf(kChild)).status()), v1::REASON_LOOP);
  v1::HelloRequest deep = HelloOf(Uuid::FromName({}, "other"));
  deep.set_levels_below(6);
  EXPECT_EQ(ReasonOf(server_.Hello(deep).status()), v1::REASON_TOO_DEEP);
  deep.set_levels_below(5);
  EXPECT_TRUE(server_.Hello(deep).ok());
}

}  // namespace
}  // namespace sluice
