// The compose file: understood by docker-compose, and its tree of three brought up as it says.
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/deploy/containers.h"
#include "tests/deploy/dockerfile.h"
#include "yaml-cpp/yaml.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr char kFolder[] = SLUICE_SOURCE_DIR "/deploy/container";
const char* const kNodes[] = {"hq", "region", "site"};

// `docker-compose config`, with these variables alone.
Finished Compose(const std::vector<std::string>& variables) {
  const TemporaryDirectory directory;
  const std::string none = directory.path() + "/env";
  WriteFile(none, "");
  std::vector<std::string> command = {"env", "-i", "PATH=/usr/bin:/bin", "HOME=/nonexistent"};
  command.insert(command.end(), variables.begin(), variables.end());
  command.insert(command.end(), {"docker-compose", "--file", absl::StrCat(kFolder, "/compose.yaml"),
                                 "--env-file", none, "config"});
  return RunCommand(command, kPatience);
}

class ComposeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Finished config = Compose({"HQ_ID=0e6f9f5a-7a4e-4d1e-9d55-0a3f6d3f1c11",
                                     "REGION_ID=1e6f9f5a-7a4e-4d1e-9d55-0a3f6d3f1c11",
                                     "SITE_ID=2e6f9f5a-7a4e-4d1e-9d55-0a3f6d3f1c11",
                                     absl::StrCat("UPDATES=", updates_.path())});
    ASSERT_EQ(config.exit_code, 0) << config.err;
    services_ = YAML::Load(config.out)["services"];
    ASSERT_EQ(services_.size(), 10U);
  }

  static std::vector<std::string> Words(const YAML::Node& list) {
    return list ? list.as<std::vector<std::string>>() : std::vector<std::string>{};
  }

  TemporaryDirectory updates_;
  YAML::Node services_;
};

TEST_F(ComposeTest, HoldsEveryContainerTight) {
  for (const auto& service : services_) {
    const YAML::Node value = service.second;
    EXPECT_TRUE(value["read_only"].as<bool>()) << service.first;
    EXPECT_EQ(Words(value["cap_drop"]), std::vector<std::string>{"ALL"}) << service.first;
    EXPECT_EQ(Words(value["security_opt"]), std::vector<std::string>{"no-new-privileges:true"});
    EXPECT_FALSE(value["privileged"]) << service.first;
    EXPECT_FALSE(value["user"]) << "the image's own";
    EXPECT_FALSE(value["ports"]) << "nothing is published unasked";
  }
}

TEST_F(ComposeTest, AsksForHealthAsTheImageDoes) {
  for (const char* node : kNodes) {
    std::vector<std::string> expected = ReadHealthCheck();
    expected.insert(expected.begin(), "CMD");
    EXPECT_EQ(Words(services_[node]["healthcheck"]["test"]), expected) << node;
  }
  const auto condition = [&](const char* service, const char* of) {
    return services_[service]["depends_on"][of]["condition"].as<std::string>();
  };
  EXPECT_EQ(condition("region", "hq"), "service_healthy");
  EXPECT_EQ(condition("site", "region"), "service_healthy");
  EXPECT_EQ(condition("site", "site-init"), "service_completed_successfully");
}

TEST_F(ComposeTest, ConfiguresNodesAsTheDaemonsAllow) {
  for (const char* node : kNodes) {
    const std::string daemon = Words(services_[node]["command"])[0];
    const Finished checked =
        RunCommand({absl::StrCat(SLUICE_BIN_DIR, "/", daemon), "--check-config", "--config",
                    absl::StrCat(kFolder, "/nodes/", node, ".yaml")},
                   kPatience);
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
  }
}

// A site reaches the node above it, and no other.
TEST_F(ComposeTest, LetsNodesReachTheOneAboveThem) {
  const auto share = [&](const char* one, const char* other) {
    for (const auto& network : services_[one]["networks"]) {
      if (services_[other]["networks"][network.first.as<std::string>()].IsDefined()) return true;
    }
    return false;
  };
  EXPECT_TRUE(share("region", "hq"));
  EXPECT_TRUE(share("site", "region"));
  EXPECT_FALSE(share("site", "hq"));
}

// The authority's key is seen by the steps that issue certificates only.
TEST_F(ComposeTest, KeepsTheAuthorityFromTheNodes) {
  std::set<std::string> with_authority;
  for (const auto& service : services_) {
    for (const std::string& volume : Words(service.second["volumes"])) {
      if (!absl::StartsWith(volume, "authority:")) continue;
      with_authority.insert(service.first.as<std::string>());
    }
  }
  EXPECT_EQ(with_authority, (std::set<std::string>{"authority", "hq-certificate",
                                                   "region-certificate", "site-certificate"}));
}

TEST(ComposeFileTest, SaysWhatIsMissing) {
  const Finished config = Compose({});
  EXPECT_NE(config.exit_code, 0);
  EXPECT_THAT(config.err, HasSubstr("draw one with uuidgen"));
}

// Runs the services as docker-compose would.
class ComposeTreeTest : public ComposeTest {
 protected:
  void SetUp() override {
    ComposeTest::SetUp();
    if (const std::string why = Containers::WhyNot(); !why.empty()) GTEST_SKIP() << why;
    containers_ = std::make_unique<Containers>();
  }

  Container ContainerOf(const std::string& name) {
    const YAML::Node service = services_[name];
    Container container = {.name = name, .command = Words(service["command"])};
    for (const std::string& tmpfs : Words(service["tmpfs"])) {
      container.mounts.insert(container.mounts.end(), {"--tmpfs", tmpfs});
    }
    for (const std::string& volume : Words(service["volumes"])) {
      std::vector<std::string> parts = absl::StrSplit(volume, ':');
      if (parts[0].front() != '/') parts[0] = containers_->Volume(parts[0], parts[1]);
      container.mounts.insert(container.mounts.end(), {"--bind", absl::StrJoin(parts, ":")});
    }
    for (const auto& network : service["networks"]) {
      container.networks.push_back(network.first.as<std::string>());
    }
    return container;
  }

  bool Eventually(const std::function<bool()>& holds) {
    for (const absl::Time until = absl::Now() + kPatience; absl::Now() < until;) {
      if (holds()) return true;
    }
    return holds();
  }

  // Brings up what a service depends on, and then it.
  void Up(const std::string& name) {
    if (!up_.insert(name).second) return;
    const YAML::Node service = services_[name];
    for (const auto& dependency : service["depends_on"]) Up(dependency.first.as<std::string>());
    if (service["restart"].as<std::string>() == "no") {
      const Finished step = containers_->Run(ContainerOf(name));
      ASSERT_EQ(step.exit_code, 0) << name << ": " << step.err;
      return;
    }
    containers_->Start(ContainerOf(name));
    std::vector<std::string> check = Words(service["healthcheck"]["test"]);
    check.erase(check.begin());
    ASSERT_TRUE(Eventually([&] { return containers_->Exec(name, check).exit_code == 0; }))
        << containers_->log(name);
  }

  std::unique_ptr<Containers> containers_;
  std::set<std::string> up_;
};

TEST_F(ComposeTreeTest, BringsUpATreeOfThreeOverMutualTls) {
  WriteFile(updates_.path() + "/agent.bin", "the agent");
  WriteFile(updates_.path() + "/agent.yaml",
            "name: agent\ntexts: [{language: en, title: Contoso Agent 4.2}]\n"
            "products: [Contoso/Agent]\nclassification: Updates\nfiles: [{path: agent.bin}]\n");
  std::filesystem::permissions(updates_.path(), std::filesystem::perms(0755));
  Up("site");
  ASSERT_EQ(up_.size(), services_.size());
  const auto ask = [&](const std::string& node, const std::string& what) {
    std::vector<std::string> words = absl::StrSplit(what, ' ');
    words.insert(words.begin(), "sluice");
    const Finished answer = containers_->Exec(node, words);
    return absl::StrCat(answer.out, answer.err);
  };
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(ask("site", "update list"), "Contoso Agent 4.2");
  })) << ask("site", "update list")
      << containers_->log("hq") << containers_->log("region") << containers_->log("site");
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(ask("hq", "tree"), "\n  region") &&
           absl::StrContains(ask("hq", "tree"), "\n    site");
  })) << ask("hq", "tree");
  // Steps are done again at another `up`, beside running nodes.
  for (const char* step : {"authority", "hq-init", "hq-certificate"}) {
    const Finished again = containers_->Run(ContainerOf(step));
    EXPECT_EQ(again.exit_code, 0) << step << ": " << again.err;
  }
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(containers_->log("hq"), "certificate_changed");
  })) << containers_->log("hq");
  for (const char* node : {"site", "region", "hq"}) {
    containers_->process(node).Signal(SIGTERM);
    EXPECT_EQ(containers_->process(node).Wait(kPatience), 0) << containers_->log(node);
  }
}

}  // namespace
}  // namespace sluice
