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

}  // namespace
}  // namespace sluice
