#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/observe/rpc_metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/content_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kListNodes[] = "/sluice.v1.TreeService/ListNodes";

class RpcMetricsTest : public ::testing::Test {
 protected:
  RpcMetricsTest() {
    router_.Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
        kListNodes,
        [](const CallContext&, const v1::ListNodesRequest&) { return v1::ListNodesResponse(); });
    router_.ServerStream<v1::ReadRequest>(
        "sluice.v1.ContentService/Read",
        [](const CallContext&,
           const v1::ReadRequest&) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
          return absl::UnimplementedError("not called here");
        });
    metrics_ = std::make_unique<RpcMetrics>(registry_, router_);
  }

  const Method* Find(absl::string_view path) const { return *router_.Find(path); }

  Router router_;
  MetricRegistry registry_;
  std::unique_ptr<RpcMetrics> metrics_;
};

TEST_F(RpcMetricsTest, BeginsWithZeroForEveryMethod) {
  const std::string text = registry_.Text();
  EXPECT_THAT(text, HasSubstr("grpc_server_started_total{grpc_method=\"ListNodes\",grpc_service="
                              "\"sluice.v1.TreeService\",grpc_type=\"unary\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("grpc_server_started_total{grpc_method=\"Read\",grpc_service="
                              "\"sluice.v1.ContentService\",grpc_type=\"server_stream\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Read\""));
}

TEST_F(RpcMetricsTest, CountsACallFromItsStartToItsEnd) {
  const Method* method = Find(kListNodes);
  metrics_->OnStart(method);
  metrics_->OnMessageIn(method);
  metrics_->OnMessageOut(method);
  metrics_->OnEnd(method, absl::StatusCode::kPermissionDenied, absl::Milliseconds(30));
  const std::string labels =
      "grpc_method=\"ListNodes\",grpc_service=\"sluice.v1.TreeService\",grpc_type=\"unary\"";
  const std::string text = registry_.Text();
  for (const char* name : {"grpc_server_started_total", "grpc_server_msg_received_total",
                           "grpc_server_msg_sent_total", "grpc_server_handling_seconds_count"}) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat(name, "{", labels, "} 1\n")));
  }
  EXPECT_THAT(text, HasSubstr("grpc_server_handled_total{grpc_code=\"PermissionDenied\"," + labels +
                              "} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_server_handling_seconds_bucket{" + labels + ",le=\"0.025\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_server_handling_seconds_bucket{" + labels + ",le=\"0.05\"} 1\n"));
}

TEST_F(RpcMetricsTest, CountsWhatDoesNotExistUnderOneName) {
  for (int i = 0; i < 5; ++i) {
    metrics_->OnStart(nullptr);
    metrics_->OnEnd(nullptr, absl::StatusCode::kUnimplemented, absl::ZeroDuration());
  }
  EXPECT_THAT(registry_.Text(),
              HasSubstr("grpc_server_handled_total{grpc_code=\"Unimplemented\",grpc_method="
                        "\"unknown\",grpc_service=\"unknown\",grpc_type=\"unary\"} 5\n"));
}

TEST_F(RpcMetricsTest, HasRoomForEveryCodeOfEveryMethod) {
  for (int code = 0; code <= 20; ++code) {
    for (const Method* method : router_.Methods()) {
      metrics_->OnEnd(method, static_cast<absl::StatusCode>(code), absl::ZeroDuration());
    }
    metrics_->OnEnd(nullptr, static_cast<absl::StatusCode>(code), absl::ZeroDuration());
  }
  EXPECT_THAT(registry_.Text(), Not(HasSubstr("other")));
  EXPECT_THAT(registry_.Text(), HasSubstr("grpc_code=\"Unauthenticated\""));
}

TEST_F(RpcMetricsTest, LosesNoCallOfManyThreads) {
  const Method* method = Find(kListNodes);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, method] {
      for (int i = 0; i < 500; ++i) {
        metrics_->OnEnd(method, absl::StatusCode::kAborted, absl::Milliseconds(1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(registry_.Text(),
              HasSubstr("grpc_server_handled_total{grpc_code=\"Aborted\",grpc_method=\"ListNodes\","
                        "grpc_service=\"sluice.v1.TreeService\",grpc_type=\"unary\"} 2000\n"));
}

}  // namespace
}  // namespace sluice
