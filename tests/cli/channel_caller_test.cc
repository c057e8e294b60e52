// The way from `sluice` to a node: a real server on a Unix socket.
#include "cli/channel_caller.h"

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/errors.h"
#include "common/rpc/router.h"
#include "common/rpc/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Two events about one session, then silence.
class EventSource : public MessageSource {
 public:
  Pull Next() override {
    if (sent_ == 2) return Pull::Wait();
    v1::WatchSyncResponse event;
    event.mutable_session()->set_session_id("s1");
    event.mutable_session()->set_outcome(sent_ == 0 ? v1::SYNC_OUTCOME_RUNNING
                                                    : v1::SYNC_OUTCOME_SUCCEEDED);
    ++sent_;
    return Pull::Message(event);
  }

 private:
  int sent_ = 0;
};

// Answers with the update's name and the number of its bytes.
class Publisher : public Conversation<v1::PublishUpdateRequest, v1::PublishUpdateResponse> {
 public:
  using Answers = std::vector<v1::PublishUpdateResponse>;
  absl::StatusOr<Answers> OnMessage(const v1::PublishUpdateRequest& request) override {
    if (request.has_manifest()) name_ = request.manifest().name();
    if (name_ == "refused") return MakeError(v1::REASON_NOT_ORIGIN, "this node follows hq");
    bytes_ += request.data().size();
    return Answers();
  }
  absl::StatusOr<Answers> OnEnd() override {
    v1::PublishUpdateResponse response;
    response.set_update_id(absl::StrCat(name_, ":", bytes_));
    response.set_changed(true);
    return Answers{response};
  }

 private:
  std::string name_;
  size_t bytes_ = 0;
};

class ChannelCallerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    PrepareProcess();
    std::string pattern = ::testing::TempDir() + "/caller_test_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    router_.Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
        "sluice.v1.TreeService/ListNodes",
        [](const CallContext&,
           const v1::ListNodesRequest&) -> absl::StatusOr<v1::ListNodesResponse> {
          v1::ListNodesResponse response;
          response.add_nodes()->mutable_status()->set_name("hq");
          return response;
        });
    router_.ServerStream<v1::WatchSyncRequest>(
        "sluice.v1.SyncService/WatchSync",
        [](const CallContext&,
           const v1::WatchSyncRequest&) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
          return std::make_unique<EventSource>();
        });
    router_.ClientStream<v1::PublishUpdateRequest, v1::PublishUpdateResponse>(
        "sluice.v1.CatalogService/PublishUpdate",
        [](const CallContext&) { return std::make_unique<Publisher>(); });
    auto server =
        Server::Start(router_, ServerOptions(),
                      {{"unix:" + dir_ + "/all.sock",
                        {Role::kViewer, Role::kApprover, Role::kAdministrator, Role::kPublisher}},
                       {"unix:" + dir_ + "/node.sock", {Role::kNode}}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void TearDown() override {
    server_.reset();
    std::system(("rm -rf '" + dir_ + "'").c_str());
  }

  int Run(std::vector<std::string> args, const std::string& socket = "all.sock") {
    args.insert(args.begin(), {"sluice", "--address", "unix:" + dir_ + "/" + socket});
    std::ostringstream out;
    std::ostringstream err;
    CliEnvironment environment = {.connect = ChannelCaller::Create,
                                  .run_raw = [](const std::vector<std::string>&) { return -1; },
                                  .variable = [](absl::string_view) { return std::string(); },
                                  .may_connect = [](absl::string_view) { return false; },
                                  .clock = clock_,
                                  .zone = absl::UTCTimeZone(),
                                  .out = out,
                                  .err = err};
    const int code = RunCli(args, environment);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  std::string dir_;
  SystemClock clock_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::string out_;
  std::string err_;
};

TEST_F(ChannelCallerTest, CallsANode) {
  EXPECT_EQ(Run({"tree"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("\nhq "));
}

TEST_F(ChannelCallerTest, EndsAStreamThatTheNodeKeepsOpen) {
  EXPECT_EQ(Run({"sync", "watch", "--once"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("s1 succeeded"));
}

TEST_F(ChannelCallerTest, AStreamEndsAfterTheTimeoutThatIsAskedFor) {
  EXPECT_EQ(Run({"sync", "watch", "--timeout", "100ms"}), 64 + 4);
  EXPECT_THAT(err_, HasSubstr("DEADLINE_EXCEEDED"));
}

TEST_F(ChannelCallerTest, SendsFiles) {
  std::ofstream(dir_ + "/data") << std::string(3 << 20, 'x');
  std::ofstream(dir_ + "/m.yaml") << "name: agent\nfiles: [{path: data}]\n";
  EXPECT_EQ(Run({"update", "publish", dir_ + "/m.yaml", "-o", "name"}), 0) << err_;
  EXPECT_EQ(out_, absl::StrCat("agent:", 3 << 20, "\n"));
}

TEST_F(ChannelCallerTest, ARefusalDuringSendingArrivesWithItsReason) {
  std::ofstream(dir_ + "/data") << std::string(8 << 20, 'x');
  std::ofstream(dir_ + "/m.yaml") << "name: refused\nfiles: [{path: data}]\n";
  EXPECT_EQ(Run({"update", "publish", dir_ + "/m.yaml"}), 64 + 9);
  EXPECT_THAT(err_, AllOf(HasSubstr("this node follows hq"), HasSubstr("NOT_ORIGIN"),
                          HasSubstr("remedy:")));
}

TEST_F(ChannelCallerTest, AMissingRoleIsSaidSo) {
  EXPECT_EQ(Run({"sync", "watch"}, "node.sock"), 64 + 7);
  EXPECT_THAT(err_, HasSubstr("ROLE_REQUIRED"));
}

TEST_F(ChannelCallerTest, NobodyThereIsSaidSo) {
  EXPECT_EQ(Run({"tree"}, "none.sock"), 64 + 14);
  EXPECT_THAT(err_, HasSubstr("UPSTREAM_CONNECT"));
}

TEST_F(ChannelCallerTest, AMalformedAddressIsWrongUsage) {
  EXPECT_EQ(Run({"tree", "--version"}), 0);
  const CallLimits limits;
  EXPECT_FALSE(ChannelCaller::Create({"nonsense", ""}, limits).ok());
}

}  // namespace
}  // namespace sluice
