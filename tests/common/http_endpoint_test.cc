#include "common/observe/http_endpoint.h"

#include <dirent.h>
#include <unistd.h>

#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/http_client.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

int Threads() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task")) {
    ++count;
  }
  return count;
}

class HttpEndpointTest : public ::testing::Test {
 protected:
  void Start(HttpEndpointOptions options = {}) {
    if (options.address.empty()) options.address = "127.0.0.1:0";
    options.metrics = [this] { return metrics_; };
    options.faults = [this] { return faults_; };
    options.missing = [this] { return missing_; };
    auto endpoint = HttpEndpoint::Start(std::move(options));
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    endpoint_ = *std::move(endpoint);
  }

  HttpAnswer Get(const std::string& path) { return Ask(endpoint_->address(), "GET", path); }

  static absl::Status FailureAt(const std::string& address) {
    HttpEndpointOptions options;
    options.address = address;
    options.metrics = [] { return std::string(); };
    return HttpEndpoint::Start(std::move(options)).status();
  }

  // Set before `Start` or between requests, each of which is over when it has been answered.
  std::string metrics_ = "# TYPE a counter\na 1\n";
  std::vector<std::string> faults_;
  std::vector<std::string> missing_;
  std::unique_ptr<HttpEndpoint> endpoint_;
};

TEST_F(HttpEndpointTest, ServesMetricsInTheTextFormat) {
  Start();
  const HttpAnswer answer = Get("/metrics");
  EXPECT_EQ(answer.code, 200);
  EXPECT_THAT(answer.head, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
  EXPECT_EQ(answer.body, metrics_);
}

TEST_F(HttpEndpointTest, ServesALargeText) {
  metrics_ = std::string(3 << 20, 'm');
  Start();
  EXPECT_EQ(Get("/metrics").body.size(), metrics_.size());
}

TEST_F(HttpEndpointTest, IsReadyWhenNothingIsMissing) {
  Start();
  EXPECT_EQ(Get("/readyz").code, 200);
  EXPECT_EQ(Get("/readyz").body, "ok\n");
}

TEST_F(HttpEndpointTest, SaysWhatIsMissing) {
  missing_ = {"the store is opening", "no address is listened on"};
  Start();
  const HttpAnswer answer = Get("/readyz");
  EXPECT_EQ(answer.code, 503);
  EXPECT_EQ(answer.body, "the store is opening\nno address is listened on\n");
  EXPECT_EQ(Get("/healthz").code, 200);
  missing_.clear();
  EXPECT_EQ(Get("/readyz").code, 200);
}

TEST_F(HttpEndpointTest, SaysWhatIsWrong) {
  faults_ = {"a commit hangs for 40 s"};
  Start();
  EXPECT_EQ(Get("/healthz").code, 503);
  EXPECT_EQ(Get("/healthz").body, "a commit hangs for 40 s\n");
}

TEST_F(HttpEndpointTest, AnswersHeadWithoutABody) {
  Start();
  const HttpAnswer answer = Ask(endpoint_->address(), "HEAD", "/metrics");
  EXPECT_EQ(answer.code, 200);
  EXPECT_THAT(answer.head, HasSubstr("Content-Length: 21"));
  EXPECT_EQ(answer.body, "");
}

TEST_F(HttpEndpointTest, KnowsNoOtherPathsAndMethods) {
  Start();
  for (const std::string path : {"/", "/metrics/", "/../etc/passwd", "/METRICS", "*"}) {
    EXPECT_EQ(Get(path).code, 404) << path;
  }
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
    const HttpAnswer answer = Ask(endpoint_->address(), method, "/metrics");
    EXPECT_EQ(answer.code, 405) << method;
    EXPECT_THAT(answer.head, HasSubstr("Allow: GET, HEAD"));
  }
}

TEST_F(HttpEndpointTest, TakesNoBodies) {
  Start();
  EXPECT_EQ(Ask(endpoint_->address(), "GET", "/metrics", "Content-Length: 9999999999\r\n").code,
            413);
  EXPECT_EQ(Ask(endpoint_->address(), "POST", "/metrics", "Content-Length: 5\r\n").code, 405);
  EXPECT_EQ(Ask(endpoint_->address(), "GET", "/metrics", "Transfer-Encoding: chunked\r\n").code,
            413);
}

TEST_F(HttpEndpointTest, RefusesRequestsThatAreTooLarge) {
  Start();
  const std::string large(64 << 10, 'x');
  EXPECT_THAT(Get("/" + large).code, ::testing::AnyOf(413, 414, 431));
  EXPECT_THAT(Ask(endpoint_->address(), "GET", "/metrics", "X: " + large + "\r\n").code,
              ::testing::AnyOf(413, 431));
  EXPECT_EQ(Get("/healthz").code, 200);
}

TEST_F(HttpEndpointTest, SurvivesGarbage) {
  Start();
  for (const std::string& garbage :
       {std::string("\0\xff\x16\x03\x01", 5), std::string("GET\r\n\r\n"),
        std::string("\r\n\r\n\r\n"), std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}) {
    const HttpConnection connection(endpoint_->address());
    connection.Say(garbage);
  }
  EXPECT_EQ(Get("/healthz").code, 200);
}

TEST_F(HttpEndpointTest, ClosesAConnectionThatSaysNothing) {
  HttpEndpointOptions options;
  options.idle_timeout = absl::Seconds(1);
  Start(std::move(options));
  const HttpConnection silent(endpoint_->address());
  EXPECT_THAT(silent.ReadToEnd(), ::testing::Not(HasSubstr("(silence)")));
}

TEST_F(HttpEndpointTest, RefusesConnectionsBeyondItsLimit) {
  HttpEndpointOptions options;
  options.connections_max = 4;
  Start(std::move(options));
  std::list<HttpConnection> busy;
  for (int i = 0; i < 4; ++i) {
    busy.emplace_back(endpoint_->address());
    busy.back().Say("GET /healthz HTTP/1.1\r\nHost: a\r\n");
  }
  EXPECT_EQ(Get("/healthz").code, 0);
  busy.pop_back();
  // Whether the endpoint has seen the end of it yet is a race; it must soon.
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (Get("/healthz").code != 200 && absl::Now() < give_up) {
  }
  EXPECT_EQ(Get("/healthz").code, 200);
}

TEST_F(HttpEndpointTest, ClosesOldConnectionsToMakeRoom) {
  HttpEndpointOptions options;
  options.connections_max = 4;
  options.old_after = absl::ZeroDuration();
  Start(std::move(options));
  std::list<HttpConnection> slow;
  for (int i = 0; i < 4; ++i) {
    slow.emplace_back(endpoint_->address());
    slow.back().Say("GET /healthz HT");
  }
  EXPECT_EQ(Get("/healthz").code, 200);
  EXPECT_EQ(slow.front().ReadToEnd(), "");
}

TEST_F(HttpEndpointTest, HasOneThreadHoweverManyConnect) {
  Start();
  const int before = Threads();
  std::list<HttpConnection> many;
  for (int i = 0; i < 50; ++i) {
    many.emplace_back(endpoint_->address());
    many.back().Say("GET /hea");
  }
  EXPECT_EQ(Get("/healthz").code, 200);
  EXPECT_EQ(Threads(), before);
}

TEST_F(HttpEndpointTest, StopsSoonWithOpenConnections) {
  Start();
  const HttpConnection open(endpoint_->address());
  open.Say("GET /metr");
  const absl::Time began = absl::Now();
  endpoint_ = nullptr;
  EXPECT_LT(absl::Now() - began, absl::Seconds(2));
  EXPECT_EQ(open.ReadToEnd(), "");
}

TEST_F(HttpEndpointTest, FreesItsAddressWhenItStops) {
  Start();
  const std::string address = endpoint_->address();
  endpoint_ = nullptr;
  HttpEndpointOptions options;
  options.address = address;
  Start(std::move(options));
  EXPECT_EQ(endpoint_->address(), address);
}

TEST_F(HttpEndpointTest, ReportsThePortThatTheKernelChose) {
  Start();
  EXPECT_THAT(endpoint_->address(), MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
  HttpEndpointOptions options;
  options.address = "localhost:0";
  Start(std::move(options));
  EXPECT_THAT(endpoint_->address(), MatchesRegex("localhost:[1-9][0-9]*"));
}

TEST_F(HttpEndpointTest, SaysWhatIsWrongWithAnAddress) {
  for (const std::string address : {"", "9464", "example.com:9464", "127.0.0.1:99999",
                                    "unix:/run/sluice/metrics.sock", "[::1:9464"}) {
    const absl::Status status = FailureAt(address);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
  EXPECT_THAT(std::string(FailureAt("example.com:9464").message()),
              StartsWith("example.com:9464 is no numeric address"));
  // Of a network that is for documentation (RFC 5737), so no machine's own.
  const absl::Status elsewhere = FailureAt("192.0.2.1:0");
  EXPECT_EQ(elsewhere.code(), absl::StatusCode::kFailedPrecondition) << elsewhere;
  EXPECT_THAT(std::string(elsewhere.message()), HasSubstr("192.0.2.1:0"));
}

TEST_F(HttpEndpointTest, SaysThatAnAddressIsTaken) {
  Start();
  const absl::Status status = FailureAt(endpoint_->address());
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(endpoint_->address()));
}

}  // namespace
}  // namespace sluice
