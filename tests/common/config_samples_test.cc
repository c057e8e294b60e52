#include <fstream>
#include <sstream>
#include <string>

#include "common/config_check.h"
#include "common/yaml.h"
#include "gtest/gtest.h"
#include "sluice/config/v1/daemon.pb.h"

namespace sluice {
namespace {

template <typename Config>
Config ReadSample(const std::string& name) {
  const std::string path = std::string(SLUICE_SOURCE_DIR) + "/deploy/config/" + name;
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_NE(text.str(), "") << path;
  Config config;
  const absl::Status parsed = ParseYaml(text.str(), name, config);
  EXPECT_TRUE(parsed.ok()) << parsed;
  const absl::Status checked = CompleteConfig(config);
  EXPECT_TRUE(checked.ok()) << checked;
  return config;
}

TEST(ConfigSamplesTest, TheUpstreamsSampleIsValid) {
  const auto config = ReadSample<config::v1::UpstreamDaemon>("sluice-upstreamd.yaml");
  EXPECT_EQ(config.sources(0).debian().suite(), "bookworm-security");
  EXPECT_EQ(config.sources(0).schedule().first_at(), "03:00");
}

TEST(ConfigSamplesTest, TheDownstreamsSampleIsValid) {
  const auto config = ReadSample<config::v1::DownstreamDaemon>("sluice-downstreamd.yaml");
  EXPECT_EQ(config.upstream().target(), "unix:/run/sluice/node.sock");
  EXPECT_EQ(config.initial_subscription().products(0), "Debian/12");
}

}  // namespace
}  // namespace sluice
