// A daemon among others: a second one, a loop, a stop, and the tools of others.
#include <csignal>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

// Exit codes of the daemons, as their --help lists them.
constexpr int kConfigurationExit = 3;
constexpr int kStateDirectoryExit = 4;
constexpr int kAddressTakenExit = 6;

class DaemonTest : public TreeTest {
 protected:
  static int PortOf(const NodeProcess& node) {
    return std::stoi(node.address().substr(node.address().rfind(':') + 1));
  }
};

TEST_F(DaemonTest, RefusesAStateDirectoryThatIsInUse) {
  NodeProcess& root = AddRoot("hq");
  root.Start();
  const Finished second = root.StartAndEnd();
  EXPECT_EQ(second.exit_code, kStateDirectoryExit) << second.err;
  EXPECT_TRUE(absl::StrContains(second.err, root.state_dir())) << second.err;
  EXPECT_TRUE(absl::StrContains(second.err, absl::StrCat(root.pid()))) << second.err;
  EXPECT_EQ(root.Cli({"node"}).exit_code, 0) << "the first daemon suffered";
}

TEST_F(DaemonTest, RefusesAPortThatIsTaken) {
  NodeProcess& root = AddRoot("hq");
  root.Start();
  NodeProcess& second = AddRootWithSource("second", "    directory: {path: /nowhere}\n");
  second.set_port(PortOf(root));
  const Finished finished = second.StartAndEnd();
  EXPECT_EQ(finished.exit_code, kAddressTakenExit) << finished.err;
  EXPECT_TRUE(absl::StrContains(finished.err, root.address())) << finished.err;
}

TEST_F(DaemonTest, ChecksItsConfigurationWithoutStarting) {
  NodeProcess& root = AddRoot("hq");
  const std::vector<std::string> check = {Program("sluice-upstreamd"), "--check-config", "--config",
                                          root.config_file()};
  EXPECT_EQ(RunCommand(check, kPatience).exit_code, 0);
  WriteFile(root.config_file(), ReadFile(root.config_file()) + "nodes: {}\n");
  const Finished finished = RunCommand(check, kPatience);
  EXPECT_EQ(finished.exit_code, kConfigurationExit);
  EXPECT_TRUE(absl::StrContains(finished.err, "nodes")) << finished.err;
}

TEST_F(DaemonTest, TellsPrometheusWhatItDoes) {
  WriteUpdates("agent", 2, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& region = Add({.name = "region",
                             .role_yaml = FollowerYaml(root.node_socket()),
                             .node_yaml = "  metrics_address: 127.0.0.1:0\n"});
  region.Start();
  ASSERT_TRUE(Eventually(region, [&] { return UpdateCount(region) == 2; }));
  EXPECT_EQ(CheckParity(region).exit_code, 0);
  const auto get = [&](const std::string& path) {
    return RunCommand({"curl", "-sS", "--noproxy", "*", "-w", "%{http_code}",
                       absl::StrCat("http://", region.metrics_address(), path)},
                      kPatience)
        .out;
  };
  EXPECT_TRUE(absl::EndsWith(get("/readyz"), "200")) << get("/readyz");
  EXPECT_TRUE(absl::EndsWith(get("/healthz"), "200"));
  const std::string metrics = get("/metrics");
  for (const char* line :
       {"\nsluice_sync_sessions_total{reason=\"none\",result=\"succeeded\"} ",
        "\nsluice_sync_lag_changes 0\n", "\nsluice_parity_findings{class=\"missing_upstream\"} 0\n",
        "\nsluice_store_commit_seconds_count ", "\nsluice_content_free_bytes ",
        "\ngrpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Check\",grpc_service=\"sluice."
        "v1."
        "ParityService\",grpc_type=\"server_stream\"} "}) {
    EXPECT_TRUE(absl::StrContains(metrics, line)) << line << "\n" << metrics;
  }
  const auto health = [&] {
    return region.RawCall("grpc.health.v1.Health/Check", "{\"service\": \"sluice.sync\"}").out;
  };
  EXPECT_TRUE(absl::StrContains(health(), "\"SERVING\"")) << health();
  // It serves without its upstream, and says that it cannot synchronise.
  EXPECT_EQ(root.Stop(), 0);
  EXPECT_EQ(region.Cli({"sync", "start", "--wait"}).exit_code, 1);
  EXPECT_TRUE(absl::EndsWith(get("/readyz"), "200"));
  EXPECT_TRUE(absl::StrContains(get("/metrics"),
                                "\nsluice_condition_active{reason=\"UPSTREAM_CONNECT\"} 1\n"));
  EXPECT_TRUE(absl::StrContains(health(), "NOT_SERVING")) << health();
}

TEST_F(DaemonTest, ServesOnAndStoresNothingWhenTheVolumeIsAlmostFull) {
  WriteUpdates("agent", 2, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  EXPECT_EQ(root.Stop(), 0);
  // More than any volume here has.
  root.set_node_yaml("  keep_free_mib: 1048576\n");
  root.Start();
  EXPECT_EQ(UpdateCount(root), 2);
  const Finished refused = root.Cli({"approve", "--all-matching", "agent", "--yes"});
  EXPECT_EQ(refused.exit_code, 1) << refused.err;
  EXPECT_TRUE(absl::StrContains(refused.out, "1048576 MiB are kept free")) << refused.out;
  const std::string standing = root.Cli({"condition", "list"}).out;
  EXPECT_TRUE(absl::StrContains(standing, "STORE_NO_SPACE")) << standing;
  EXPECT_EQ(root.Stop(), 0);
  root.set_node_yaml("");
  root.Start();
  ApproveAll(root, "agent");
  EXPECT_TRUE(Eventually(root, [&] { return ReadyUpdates(root) == 2; }));
  EXPECT_EQ(root.Cli({"condition", "list"}).out, "");
}

TEST_F(DaemonTest, RefusesALoop) {
  NodeProcess& root = AddRoot("hq");
  root.Start();
  NodeProcess& region = AddFollower("region", root.node_socket());
  region.Start();
  NodeProcess& site = AddFollower("site", region.node_socket());
  site.Start();
  const auto last_reason = [&] {
    for (const v1::Session& session : Sessions(region)) {
      if (session.errors_size() > 0) return session.errors(session.errors_size() - 1).reason();
    }
    return std::string();
  };
  ASSERT_TRUE(Eventually(site, [&] {
    const std::vector<v1::Session> sessions = Sessions(site);
    return !sessions.empty() && sessions[0].outcome() == v1::SYNC_OUTCOME_SUCCEEDED;
  }));

  EXPECT_EQ(region.Stop(), 0);
  region.set_role_yaml(FollowerYaml(site.node_socket()));
  region.Start();
  EXPECT_TRUE(Eventually(region, [&] { return last_reason() == "LOOP"; })) << last_reason();
}

TEST_F(DaemonTest, DrainsOnSigtermWhileAWatchIsOpen) {
  NodeProcess& root = AddRoot("hq");
  root.Start();
  NodeProcess& region = AddFollower("region", root.node_socket());
  region.Start();
  const std::unique_ptr<LineReader> watch = root.WatchSync();
  Import(root);
  ASSERT_TRUE(watch->Next(kPatience).has_value()) << "the watch is not open";
  const absl::Time begun = absl::Now();
  EXPECT_EQ(root.Stop(), 0);
  EXPECT_LT(absl::Now() - begun, absl::Seconds(15));
  EXPECT_FALSE(std::filesystem::exists(root.directory() + "/addresses"));
  EXPECT_EQ(region.Cli({"node"}).exit_code, 0) << "the node below suffered";
  EXPECT_EQ(region.Stop(), 0);
}

TEST_F(DaemonTest, AViewerMayNotDecide) {
  NodeProcess& root = AddRoot("hq");
  WriteUpdate("agent", 100);
  root.Start();
  Import(root);
  const Finished finished =
      RunCommand({Program("sluice"), "--address", root.node_socket(), "approve", "agent edition 1"},
                 kPatience);
  EXPECT_EQ(finished.exit_code, 64 + 7) << finished.err;
}

// buf, where tests/run has installed it.
class BufTest : public DaemonTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kBuf)) GTEST_SKIP() << "not installed: " << kBuf;
  }

  static constexpr char kBuf[] = SLUICE_SOURCE_DIR "/build/tools/node_modules/.bin/buf";
};

TEST_F(BufTest, FindsNothingWrongWithTheProtos) {
  const Finished lint = RunCommand({kBuf, "lint", SLUICE_SOURCE_DIR}, kPatience);
  EXPECT_EQ(lint.exit_code, 0) << lint.out << lint.err;
}

TEST_F(BufTest, ListsAndCallsARunningNodeThroughReflection) {
  NodeProcess& root = AddRoot("hq");
  root.Start();
  const std::string url = absl::StrCat("http://", root.address());
  const std::vector<std::string> curl = {kBuf, "curl", "--http2-prior-knowledge", "--protocol",
                                         "grpc"};
  std::vector<std::string> list = curl;
  list.insert(list.end(), {"--list-services", url});
  const Finished listed = RunCommand(list, kPatience);
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_TRUE(absl::StrContains(listed.out, "sluice.v1.CatalogService")) << listed.out;

  std::vector<std::string> call = curl;
  call.push_back(url + "/sluice.v1.TreeService/GetNode");
  const Finished called = RunCommand(call, kPatience);
  EXPECT_EQ(called.exit_code, 0) << called.err;
  v1::GetNodeResponse node;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(called.out, &node).ok()) << called.out;
  EXPECT_EQ(node.node().status().name(), "hq");
}

}  // namespace
}  // namespace sluice
