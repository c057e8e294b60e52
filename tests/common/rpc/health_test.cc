#include "common/rpc/health.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthTest : public ::testing::Test {
 protected:
  HealthTest() { board_.AddTo(router_); }

  // A call of `method` that has got its request.
  std::unique_ptr<MessageExchange> Ask(const std::string& method, const std::string& name) {
    auto exchange = (*router_.Find("/grpc.health.v1.Health/" + method))->open(CallContext());
    exchange->OnWake([this] { ++wakes_; });
    HealthCheckRequest request;
    request.set_service(name);
    asked_ = exchange->OnMessage(request.SerializeAsString());
    return exchange;
  }
  static HealthCheckResponse::ServingStatus Said(const Pull& pull) {
    HealthCheckResponse response;
    EXPECT_EQ(pull.kind, Pull::Kind::kMessage);
    EXPECT_TRUE(response.ParseFromString(pull.message.head));
    return response.status();
  }

  HealthBoard board_;
  Router router_;
  absl::Status asked_;
  int wakes_ = 0;
};

TEST_F(HealthTest, ServesAsAWholeFromTheStart) {
  EXPECT_EQ(Said(Ask("Check", "")->Next()), HealthCheckResponse::SERVING);
}

TEST_F(HealthTest, AnswersByNameOnceThatWasSet) {
  Ask("Check", "sluice.sync");
  EXPECT_EQ(asked_.code(), absl::StatusCode::kNotFound);
  board_.Set("sluice.sync", false);
  EXPECT_EQ(Said(Ask("Check", "sluice.sync")->Next()), HealthCheckResponse::NOT_SERVING);
  board_.Set("sluice.sync", true);
  EXPECT_EQ(Said(Ask("Check", "sluice.sync")->Next()), HealthCheckResponse::SERVING);
}

TEST_F(HealthTest, WakesWhoWatches) {
  const auto watch = Ask("Watch", "");
  EXPECT_EQ(Said(watch->Next()), HealthCheckResponse::SERVING);
  EXPECT_EQ(watch->Next().kind, Pull::Kind::kWait);
  board_.Set("", false);
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(Said(watch->Next()), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthTest, KeepsAWatchOfAnUnknownNameOpen) {
  const auto watch = Ask("Watch", "sluice.content");
  EXPECT_EQ(Said(watch->Next()), HealthCheckResponse::SERVICE_UNKNOWN);
  EXPECT_EQ(watch->Next().kind, Pull::Kind::kWait);
  board_.Set("sluice.content", true);
  EXPECT_EQ(Said(watch->Next()), HealthCheckResponse::SERVING);
}

TEST_F(HealthTest, SaysNothingTwice) {
  const auto watch = Ask("Watch", "");
  EXPECT_EQ(Said(watch->Next()), HealthCheckResponse::SERVING);
  board_.Set("", true);
  EXPECT_EQ(watch->Next().kind, Pull::Kind::kWait);
}

TEST_F(HealthTest, ServesNothingAnyMoreOnceItDrains) {
  board_.Set("sluice.sync", true);
  board_.Drain();
  board_.Set("sluice.sync", true);
  EXPECT_EQ(Said(Ask("Check", "")->Next()), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Said(Ask("Check", "sluice.sync")->Next()), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthTest, ForgetsAWatchThatEnded) {
  { const auto watch = Ask("Watch", ""); }
  board_.Set("", false);
  EXPECT_EQ(wakes_, 0);
}

TEST_F(HealthTest, ListsEveryName) {
  board_.Set("sluice.sync", false);
  grpc::health::v1::HealthListResponse response;
  ASSERT_TRUE(response.ParseFromString(Ask("List", "")->Next().message.head));
  EXPECT_EQ(response.statuses().size(), 2u);
  EXPECT_EQ(response.statuses().at("sluice.sync").status(), HealthCheckResponse::NOT_SERVING);
}

}  // namespace
}  // namespace sluice
