// A real Prometheus with the project's own rules, fetching from a running tree.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

class PrometheusTest : public TreeTest {
 protected:
  // A port that was free a moment ago.
  static int FreePort() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    close(fd);
    return ntohs(address.sin_port);
  }

  void StartPrometheus(const std::vector<const NodeProcess*>& nodes) {
    std::string targets;
    for (const NodeProcess* node : nodes) {
      absl::StrAppend(&targets, targets.empty() ? "" : ", ", "\"", node->metrics_address(), "\"");
    }
    WriteFile(directory() + "/prometheus.yaml",
              absl::StrCat("global: {scrape_interval: 200ms, evaluation_interval: 200ms}\n"
                           "rule_files: [\"",
                           SLUICE_SOURCE_DIR, "/deploy/monitoring/alerts.yaml\"]\n",
                           "scrape_configs:\n  - job_name: sluice\n    static_configs:\n"
                           "      - targets: [",
                           targets, "]\n"));
    address_ = absl::StrCat("127.0.0.1:", FreePort());
    auto started = ChildProcess::Start(
        {"prometheus", absl::StrCat("--config.file=", directory(), "/prometheus.yaml"),
         absl::StrCat("--storage.tsdb.path=", directory(), "/tsdb"),
         absl::StrCat("--web.listen-address=", address_)},
        {directory() + "/prometheus.log", directory() + "/prometheus.log"});
    ASSERT_TRUE(started.ok()) << started.status();
    prometheus_ = *std::move(started);
  }

  // The answer to a query, in JSON.
  std::string Query(const std::string& query) const {
    return RunCommand({"curl", "-sS", "--noproxy", "*", "-G", "--data-urlencode", "query=" + query,
                       absl::StrCat("http://", address_, "/api/v1/query")},
                      kPatience)
        .out;
  }

  std::string address_;
  std::unique_ptr<ChildProcess> prometheus_;
};

TEST_F(PrometheusTest, FetchesFromATreeAndSeesANodeGoDown) {
  const std::string metrics = "  metrics_address: 127.0.0.1:0\n";
  std::filesystem::create_directories(source_dir());
  WriteUpdates("agent", 2, 1000);
  NodeProcess& root =
      Add({.name = "hq",
           .role_yaml = absl::StrCat(
               "sources:\n  - name: source\n    directory: {path: ", source_dir(), "}\n"),
           .is_root = true,
           .node_yaml = metrics});
  root.Start();
  NodeProcess& region =
      Add({.name = "region", .role_yaml = FollowerYaml(root.node_socket()), .node_yaml = metrics});
  region.Start();
  StartPrometheus({&root, &region});
  EXPECT_TRUE(Eventually(
      region, [&] { return absl::StrContains(Query("sum(up{job=\"sluice\"})"), ",\"2\"]"); }))
      << Query("up") << ReadFile(directory() + "/prometheus.log");
  EXPECT_TRUE(Eventually(region, [&] {
    return absl::StrContains(
        Query("count(sluice_sync_sessions_total{result=\"succeeded\",reason=\"none\"} > 0)"),
        ",\"2\"]");
  })) << Query("sluice_sync_sessions_total");
  // The rules were taken, and see at once what is wrong.
  EXPECT_EQ(root.Stop(), 0);
  EXPECT_TRUE(Eventually(region, [&] {
    return absl::StrContains(Query("ALERTS{alertname=\"SluiceNodeDown\"}"), "\"pending\"");
  })) << Query("ALERTS");
}

}  // namespace
}  // namespace sluice
