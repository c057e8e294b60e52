#include "upstream/serving_methods.h"

#include "common/errors.h"
#include "gtest/gtest.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

// A node that calls with a certificate may speak for itself only.
class ServingMethodsTest : public ::testing::Test {
 protected:
  ServingMethodsTest() { AddReplicationMethods(server_, router_); }

  absl::Status Call(const std::string& method, const google::protobuf::Message& request,
                    const Uuid& certificate) {
    CallContext context;
    context.identity = SpiffeId{"contoso.example", PeerKind::kNode, certificate.ToString()};
    const auto found = router_.Find("/sluice.v1.ReplicationService/" + method);
    if (!found.ok()) return found.status();
    const auto call = (*found)->open(context);
    absl::Status status = call->OnMessage(request.SerializeAsString());
    if (status.ok()) status = call->OnHalfClose();
    if (!status.ok()) return status;
    const auto next = call->Next();
    return next.status;
  }

  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  ReplicationServer server_{*catalog_, clock_, {.node_name = "hq"}};
  Router router_;
  const Uuid child_ = Uuid::Random();
  const Uuid other_ = Uuid::Random();
};

TEST_F(ServingMethodsTest, RefusesANodeThatSpeaksForAnother) {
  v1::HelloRequest hello;
  hello.set_node_id(child_.bytes());
  hello.set_protocol_min(v1::PROTOCOL_VERSION_1);
  hello.set_protocol_max(v1::PROTOCOL_VERSION_1);
  EXPECT_NE(ReasonOf(Call("Hello", hello, child_)), v1::REASON_DUPLICATE_NODE);
  EXPECT_EQ(ReasonOf(Call("Hello", hello, other_)), v1::REASON_DUPLICATE_NODE);
  v1::ChangesRequest changes;
  changes.set_node_id(child_.bytes());
  EXPECT_EQ(ReasonOf(Call("Changes", changes, other_)), v1::REASON_DUPLICATE_NODE);
  v1::ReportRequest report;
  report.add_nodes()->set_node_id(child_.bytes());
  EXPECT_EQ(ReasonOf(Call("Report", report, other_)), v1::REASON_DUPLICATE_NODE);
  EXPECT_EQ(ReasonOf(Call("Report", v1::ReportRequest(), other_)), v1::REASON_INVALID_REQUEST);
}

// A watching node with something to hear is called once; one that does not watch is not.
TEST_F(ServingMethodsTest, CallsAWatchingNodeToReport) {
  v1::ChangesRequest changes;
  changes.set_node_id(child_.bytes());
  v1::HelloRequest hello;
  hello.set_node_id(child_.bytes());
  hello.set_protocol_min(v1::PROTOCOL_VERSION_1);
  hello.set_protocol_max(v1::PROTOCOL_VERSION_1);
  const auto greeted = server_.Hello(hello);
  ASSERT_TRUE(greeted.ok());
  v1::Cursor& cursor = *changes.mutable_cursor();
  cursor.set_upstream_id(greeted->node_id());
  *cursor.mutable_epoch() = greeted->epoch();
  cursor.set_selection_hash(greeted->selection_hash());
  changes.set_watch(true);
  CallContext context;
  const auto call = (*router_.Find("/sluice.v1.ReplicationService/Changes"))->open(context);
  call->OnWake([] {});
  ASSERT_TRUE(call->OnMessage(changes.SerializeAsString()).ok());
  ASSERT_TRUE(call->OnHalfClose().ok());
  const auto next = [&call] {
    const Pull pull = call->Next();
    v1::ChangesResponse response;
    EXPECT_TRUE(response.ParseFromString(pull.message.head));
    return response;
  };
  EXPECT_TRUE(next().has_mark());
  server_.board().WantParity(clock_.Now());
  EXPECT_TRUE(next().has_report_wanted());
  server_.board().Call(other_);
  EXPECT_EQ(call->Next().kind, Pull::Kind::kWait) << "another node was called";
  server_.board().Call(child_);
  EXPECT_TRUE(next().has_report_wanted());

  v1::ReportRequest report;
  report.add_nodes()->set_node_id(child_.bytes());
  const auto answer = server_.Report(report);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->parity_wanted_at().seconds(), absl::ToUnixSeconds(clock_.Now()));
}

}  // namespace
}  // namespace sluice
