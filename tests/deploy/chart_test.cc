// The Helm chart: what it renders fits together, holds its containers tight, and is refused with
// words when values are wrong.
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/deploy/rendered_chart.h"
#include "tests/storage/temporary_directory.h"
#include "tests/system/child_process.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Values(const std::string& name) {
  return absl::StrCat(SLUICE_SOURCE_DIR, "/tests/deploy/values/", name, ".yaml");
}

std::string Text(const YAML::Node& node) { return node ? node.as<std::string>() : ""; }

// All containers of a pod, those of its first steps too.
std::vector<YAML::Node> ContainersOf(const YAML::Node& pod) {
  std::vector<YAML::Node> containers;
  for (const char* list : {"initContainers", "containers"}) {
    for (const YAML::Node& container : pod["spec"][list]) containers.push_back(container);
  }
  return containers;
}

std::string PathOf(const YAML::Node& container, const std::string& volume) {
  for (const YAML::Node& mount : container["volumeMounts"]) {
    if (Text(mount["name"]) == volume) return Text(mount["mountPath"]);
  }
  return "";
}

// With the chart's own values, and with those of a file.
class ChartTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string name = GetParam();
    chart_ = Render(name == "default" ? std::vector<std::string>{} : std::vector{Values(name)});
    ASSERT_EQ(chart_.exit_code, 0) << chart_.error;
    ASSERT_GE(chart_.Pods().size(), 2U);
  }

  bool HasPod(const YAML::Node& selector) const {
    for (const YAML::Node& pod : chart_.Pods()) {
      if (Selects(selector, pod["metadata"]["labels"])) return true;
    }
    return false;
  }
  // The configuration of the daemon in `pod`.
  std::string ConfigOf(const YAML::Node& pod) const {
    for (const YAML::Node& volume : pod["spec"]["volumes"]) {
      if (Text(volume["name"]) != "config") continue;
      for (const YAML::Node& map : chart_.OfKind("ConfigMap")) {
        if (Text(map["metadata"]["name"]) == Text(volume["configMap"]["name"])) {
          return Text(map["data"]["sluice.yaml"]);
        }
      }
    }
    return "";
  }

  RenderedChart chart_;
};

TEST_P(ChartTest, HoldsEveryContainerTight) {
  for (const YAML::Node& pod : chart_.Pods()) {
    EXPECT_FALSE(pod["spec"]["automountServiceAccountToken"].as<bool>());
    ASSERT_EQ(ContainersOf(pod).size(), 2U);
    for (const YAML::Node& container : ContainersOf(pod)) {
      const YAML::Node context = container["securityContext"];
      EXPECT_TRUE(context["runAsNonRoot"].as<bool>());
      EXPECT_EQ(context["runAsUser"].as<int>(), 65532);
      EXPECT_TRUE(context["readOnlyRootFilesystem"].as<bool>());
      EXPECT_FALSE(context["allowPrivilegeEscalation"].as<bool>());
      EXPECT_EQ(Text(context["capabilities"]["drop"][0]), "ALL");
      EXPECT_FALSE(context["capabilities"]["add"]);
      EXPECT_EQ(Text(context["seccompProfile"]["type"]), "RuntimeDefault");
      EXPECT_TRUE(container["resources"]["limits"]["memory"]);
      EXPECT_NE(Text(container["command"][0]), "/bin/sh");
    }
  }
}

TEST_P(ChartTest, MountsVolumesThatAreThere) {
  for (const YAML::Node& set : chart_.OfKind("StatefulSet")) {
    std::set<std::string> volumes;
    for (const YAML::Node& volume : set["spec"]["template"]["spec"]["volumes"]) {
      volumes.insert(Text(volume["name"]));
    }
    for (const YAML::Node& claim : set["spec"]["volumeClaimTemplates"]) {
      volumes.insert(Text(claim["metadata"]["name"]));
      EXPECT_NE(Text(claim["spec"]["resources"]["requests"]["storage"]), "");
    }
    for (const YAML::Node& container : ContainersOf(set["spec"]["template"])) {
      std::set<std::string> mounted;
      for (const YAML::Node& mount : container["volumeMounts"]) mounted.insert(Text(mount["name"]));
      EXPECT_EQ(mounted, volumes);
    }
  }
}

// The daemon writes where a volume is, finds its certificates where the Secret is, and is asked
// where it answers.
TEST_P(ChartTest, ConfiguresWhatThePodHas) {
  for (const YAML::Node& pod : chart_.Pods()) {
    const YAML::Node node = YAML::Load(ConfigOf(pod))["node"];
    for (const YAML::Node& container : ContainersOf(pod)) {
      EXPECT_EQ(Text(node["state_dir"]), PathOf(container, "state"));
      EXPECT_EQ(Text(node["content_dir"]), PathOf(container, "content"));
      EXPECT_EQ(Text(node["certificates_dir"]), PathOf(container, "certificates"));
      EXPECT_EQ(Text(node["certificates_dir"]) + "/incoming", PathOf(container, "incoming"));
      EXPECT_EQ(PathOf(container, "config"), "/etc/sluice");
      EXPECT_THAT(YAML::Dump(container["command"]), HasSubstr("--config=/etc/sluice/sluice.yaml"));
    }
    const YAML::Node daemon = pod["spec"]["containers"][0];
    std::map<std::string, std::string> ports;
    for (const YAML::Node& port : daemon["ports"]) {
      ports[Text(port["name"])] = Text(port["containerPort"]);
    }
    EXPECT_EQ(Text(node["metrics_address"]), "0.0.0.0:" + ports["metrics"]);
    EXPECT_THAT(YAML::Dump(node["listeners"]), HasSubstr("0.0.0.0:" + ports["grpc-tls"]));
    const std::map<std::string, std::string> paths = {
        {"startupProbe", "/healthz"}, {"livenessProbe", "/healthz"}, {"readinessProbe", "/readyz"}};
    for (const auto& [probe, path] : paths) {
      const YAML::Node get = daemon[probe]["httpGet"];
      EXPECT_EQ(Text(get["path"]), path) << probe;
      EXPECT_EQ(Text(get["port"]), "metrics") << probe;
    }
  }
}

TEST_P(ChartTest, PassesTheDaemonsOwnCheck) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/sluice.yaml";
  for (const YAML::Node& pod : chart_.Pods()) {
    WriteFile(file, ConfigOf(pod));
    const std::string daemon = Text(pod["spec"]["containers"][0]["command"][0]);
    const std::vector<std::string> path = absl::StrSplit(daemon, '/');
    const Finished checked = RunCommand(
        {absl::StrCat(SLUICE_BIN_DIR, "/", path.back()), "--check-config", "--config", file},
        absl::Seconds(60));
    EXPECT_EQ(checked.exit_code, 0) << daemon << ": " << checked.err << ConfigOf(pod);
  }
}

TEST_P(ChartTest, SelectsPodsThatAreThere) {
  std::vector<YAML::Node> selectors;
  for (const YAML::Node& set : chart_.OfKind("StatefulSet")) {
    selectors.push_back(set["spec"]["selector"]["matchLabels"]);
    EXPECT_TRUE(Selects(selectors.back(), set["spec"]["template"]["metadata"]["labels"]));
  }
  for (const YAML::Node& service : chart_.OfKind("Service")) {
    selectors.push_back(service["spec"]["selector"]);
    EXPECT_EQ(Text(service["spec"]["clusterIP"]), "None");
  }
  for (const YAML::Node& budget : chart_.OfKind("PodDisruptionBudget")) {
    selectors.push_back(budget["spec"]["selector"]["matchLabels"]);
    for (const YAML::Node& pod : chart_.Pods()) {
      EXPECT_TRUE(Selects(selectors.back(), pod["metadata"]["labels"]));
    }
  }
  for (const YAML::Node& policy : chart_.OfKind("NetworkPolicy")) {
    selectors.push_back(policy["spec"]["podSelector"]["matchLabels"]);
    for (const char* direction : {"ingress", "egress"}) {
      for (const YAML::Node& rule : policy["spec"][direction]) {
        for (const YAML::Node& peer : rule[direction == std::string("ingress") ? "from" : "to"]) {
          if (peer["namespaceSelector"] || peer["ipBlock"]) continue;
          selectors.push_back(peer["podSelector"]["matchLabels"]);
        }
      }
    }
  }
  EXPECT_GE(selectors.size(), 3 * chart_.Pods().size());
  for (const YAML::Node& selector : selectors) EXPECT_TRUE(HasPod(selector)) << selector;
}

// Every node has its policy; metrics are for monitoring, and nothing is for everybody.
TEST_P(ChartTest, LetsInWhoShouldComeIn) {
  const std::vector<YAML::Node> policies = chart_.OfKind("NetworkPolicy");
  ASSERT_EQ(policies.size(), chart_.Pods().size());
  for (const YAML::Node& policy : policies) {
    EXPECT_EQ(policy["spec"]["policyTypes"].size(), 2U);
    bool is_watched = false;
    for (const YAML::Node& rule : policy["spec"]["ingress"]) {
      ASSERT_GE(rule["from"].size(), 1U) << policy;
      ASSERT_EQ(rule["ports"].size(), 1U);
      for (const YAML::Node& peer : rule["from"]) EXPECT_GE(peer.size(), 1U) << policy;
      if (Text(rule["ports"][0]["port"]) != "9464") {
        EXPECT_EQ(Text(rule["ports"][0]["port"]), "8531");
        continue;
      }
      is_watched = true;
      ASSERT_EQ(rule["from"].size(), 1U);
      EXPECT_EQ(
          Text(rule["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]),
          "monitoring");
    }
    EXPECT_TRUE(is_watched);
  }
}

// A node follows a Service of the chart whose policy lets it in, or what its values name.
TEST_P(ChartTest, FollowsNodesThatAreThere) {
  const std::string domain =
      GetParam() == std::string("tree") ? "cluster.example" : "cluster.local";
  int following = 0;
  for (const YAML::Node& pod : chart_.Pods()) {
    const YAML::Node config = YAML::Load(ConfigOf(pod));
    if (!config["upstream"]) continue;
    ++following;
    const std::string target = Text(config["upstream"]["target"]);
    if (target == "hq.contoso.example:18531") continue;
    bool is_there = false;
    for (const YAML::Node& service : chart_.OfKind("Service")) {
      const std::string name =
          absl::StrCat(Text(service["metadata"]["name"]), ".updates.svc.", domain);
      for (const YAML::Node& port : service["spec"]["ports"]) {
        if (absl::StrCat(name, ":", Text(port["port"])) != target) continue;
        is_there = true;
        for (const YAML::Node& policy : chart_.OfKind("NetworkPolicy")) {
          if (Text(policy["metadata"]["name"]) != Text(service["metadata"]["name"])) continue;
          EXPECT_TRUE(Selects(policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"],
                              pod["metadata"]["labels"]))
              << policy;
        }
      }
    }
    EXPECT_TRUE(is_there) << target;
  }
  EXPECT_GE(following, 1);
}

INSTANTIATE_TEST_SUITE_P(Values, ChartTest, ::testing::Values("default", "tree", "branch"),
                         [](const auto& test) { return std::string(test.param); });

TEST(ChartValuesTest, ReachWhereTheyAreMeantFor) {
  const RenderedChart chart = Render({Values("tree")});
  ASSERT_EQ(chart.exit_code, 0) << chart.error;
  const std::vector<YAML::Node> sets = chart.OfKind("StatefulSet");
  ASSERT_EQ(sets.size(), 3U);
  const YAML::Node hq = sets[0]["spec"]["template"];
  const YAML::Node init = hq["spec"]["initContainers"][0];
  EXPECT_THAT(Text(init["image"]), HasSubstr("registry.example/sluice@sha256:0123"));
  EXPECT_THAT(YAML::Dump(init["command"]),
              HasSubstr("--node-id=0e6f9f5a-7a4e-4d1e-9d55-0a3f6d3f1c11"));
  EXPECT_EQ(Text(hq["metadata"]["annotations"]["example.org/team"]), "updates");
  EXPECT_THAT(chart.text, HasSubstr("drain_timeout: 20s"));
  EXPECT_THAT(chart.text, HasSubstr("signed_by: /usr/share/keyrings/debian-archive-keyring.gpg"));
  const YAML::Node claim = sets[1]["spec"]["volumeClaimTemplates"][1]["spec"];
  EXPECT_EQ(Text(claim["resources"]["requests"]["storage"]), "500Gi");
  EXPECT_EQ(Text(claim["storageClassName"]), "fast");
  for (const YAML::Node& volume : sets[2]["spec"]["template"]["spec"]["volumes"]) {
    if (Text(volume["name"]) != "incoming") continue;
    EXPECT_EQ(Text(volume["secret"]["secretName"]), "site-tls");
    EXPECT_FALSE(volume["secret"]["optional"].as<bool>());
    EXPECT_EQ(Text(volume["secret"]["items"][0]["key"]), "tls.key");
    EXPECT_EQ(Text(volume["secret"]["items"][0]["path"]), "key.pem");
  }
  const std::vector<YAML::Node> monitors = chart.OfKind("ServiceMonitor");
  ASSERT_EQ(monitors.size(), 1U);
  for (const YAML::Node& service : chart.OfKind("Service")) {
    EXPECT_TRUE(
        Selects(monitors[0]["spec"]["selector"]["matchLabels"], service["metadata"]["labels"]));
    EXPECT_EQ(Text(monitors[0]["spec"]["endpoints"][0]["port"]),
              Text(service["spec"]["ports"][1]["name"]));
  }
}

TEST(ChartValuesTest, OpenTheWayOutThatANodeNeeds) {
  const RenderedChart chart = Render({Values("branch")});
  ASSERT_EQ(chart.exit_code, 0) << chart.error;
  EXPECT_TRUE(chart.OfKind("PodDisruptionBudget").empty());
  const YAML::Node berlin = chart.OfKind("NetworkPolicy")[0]["spec"];
  const YAML::Node above = berlin["egress"][1];
  EXPECT_EQ(Text(above["ports"][0]["port"]), "18531");
  EXPECT_EQ(Text(above["to"][0]["ipBlock"]["cidr"]), "198.51.100.7/32");
  EXPECT_EQ(berlin["ingress"][0]["from"].size(), 2U) << "lab, and the operators";
  // Nobody is below the lab, and nothing but names and berlin is before it.
  const YAML::Node lab = chart.OfKind("NetworkPolicy")[1]["spec"];
  EXPECT_EQ(lab["ingress"][0]["from"].size(), 1U) << "the operators";
  EXPECT_EQ(lab["egress"].size(), 2U);
}

struct BadValues {
  const char* name;
  const char* yaml;
  const char* message;
};

// The test's name for ctest.
void PrintTo(const BadValues& values, std::ostream* out) { *out << values.name; }

class BadValuesTest : public ::testing::TestWithParam<BadValues> {};

TEST_P(BadValuesTest, AreRefusedByName) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/values.yaml";
  WriteFile(file, GetParam().yaml);
  const RenderedChart chart = Render({file});
  EXPECT_EQ(chart.exit_code, 1) << chart.text;
  EXPECT_THAT(chart.error, HasSubstr(GetParam().message)) << GetParam().yaml;
}

INSTANTIATE_TEST_SUITE_P(
    Values, BadValuesTest,
    ::testing::Values(
        BadValues{"NoNodes", "nodes: []", "nodes: Array must have at least 1 items"},
        BadValues{"NoRole", "nodes: [{name: hq}]", "role is required"},
        BadValues{"UnknownRole", "nodes: [{name: hq, role: root}]", "nodes.0.role"},
        BadValues{"BadName", "nodes: [{name: HQ, role: upstream}]", "nodes.0.name"},
        BadValues{"BadId", "nodes: [{name: hq, role: upstream, id: hq}]", "nodes.0.id"},
        BadValues{"UnknownField", "nodes: [{name: hq, role: upstream, replicas: 2}]",
                  "replicas is not allowed"},
        BadValues{"NameTwice", "nodes: [{name: hq, role: upstream}, {name: hq, role: upstream}]",
                  "nodes: hq is there twice"},
        BadValues{"IdTwice",
                  "nodes: [{name: hq, role: upstream, id: 0e6f9f5a-7a4e-4d1e-9d55-0a3f6d3f1c11},"
                  " {name: lab, role: upstream, id: 0E6F9F5A-7a4e-4d1e-9d55-0a3f6d3f1c11}]",
                  "nodes: lab has the id of hq"},
        BadValues{"NothingAbove", "nodes: [{name: site, role: downstream}]",
                  "nodes: site: a downstream needs"},
        BadValues{"UnknownAbove", "nodes: [{name: site, role: downstream, follows: hq}]",
                  "nodes: site: follows hq, which is none of site"},
        BadValues{"FollowsItself", "nodes: [{name: site, role: downstream, follows: site}]",
                  "nodes: site: follows itself"},
        BadValues{"TwoAbove",
                  "nodes: [{name: site, role: downstream, follows: hq, target: \"hq:8531\"}]",
                  "nodes: site: has both"},
        BadValues{"RootThatFollows", "nodes: [{name: hq, role: upstream, target: \"a:1\"}]",
                  "follows nobody"},
        BadValues{"SourcesBelow",
                  "nodes: [{name: site, role: downstream, target: \"a:1\", sources: [{name: b}]}]",
                  "only an upstream imports"},
        BadValues{"BadQuantity", "storage: {state: much}", "storage.state"},
        BadValues{"NodeForAUser", "users: [{name: ann, roles: [node]}]", "users.0.roles.0"},
        BadValues{"UnknownFieldOfPolicy", "networkPolicy: {from: []}", "from is not allowed"},
        BadValues{"UnknownValue", "imgae: {tag: 1}", "imgae is not allowed"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace sluice
