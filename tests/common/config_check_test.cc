#include "common/config_check.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename Config>
Config Parsed(absl::string_view yaml) {
  Config config;
  const absl::Status status = ParseYaml(yaml, "f", config);
  EXPECT_TRUE(status.ok()) << status;
  return config;
}

template <typename Config>
std::string MistakesIn(absl::string_view yaml) {
  Config config = Parsed<Config>(yaml);
  const absl::Status status = CompleteConfig(config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

constexpr absl::string_view kNode =
    "node: {name: n, state_dir: /s, listeners: [{address: 127.0.0.1:0}]}\n";

std::string UpstreamMistakes(absl::string_view yaml) {
  return MistakesIn<config::v1::UpstreamDaemon>(absl::StrCat(kNode, yaml));
}
std::string DownstreamMistakes(absl::string_view yaml) {
  return MistakesIn<config::v1::DownstreamDaemon>(absl::StrCat(kNode, yaml));
}
std::string ListenerMistakes(absl::string_view listener) {
  return MistakesIn<config::v1::UpstreamDaemon>(
      absl::StrCat("node: {state_dir: /s, listeners: [", listener, "]}"));
}

TEST(CompleteConfigTest, FillsInTheDefaultsOfANode) {
  auto config = Parsed<config::v1::UpstreamDaemon>(
      "node: {state_dir: /s, listeners: [{address: 127.0.0.1:0}]}");
  ASSERT_TRUE(CompleteConfig(config).ok());
  EXPECT_NE(config.node().name(), "");
  EXPECT_EQ(config.node().content_dir(), "/s/content");
  EXPECT_EQ(config.node().log_level(), "info");
  EXPECT_EQ(config.node().drain_timeout().seconds(), 10);
  EXPECT_THAT(config.node().listeners(0).roles(), ElementsAre("viewer"));
}

TEST(CompleteConfigTest, FillsInTheDefaultsOfASource) {
  auto config = Parsed<config::v1::UpstreamDaemon>(absl::StrCat(
      kNode, "sources: [{name: a, debian: {uri: http://h/d, suite: s, signed_by: /k.gpg}}]"));
  ASSERT_TRUE(CompleteConfig(config).ok());
  const config::v1::Source& source = config.sources(0);
  EXPECT_EQ(source.schedule().times_a_day(), 1);
  EXPECT_EQ(source.schedule().first_at(), "03:00");
  EXPECT_EQ(source.schedule().jitter().seconds(), 300);
  EXPECT_EQ(source.schedule().retry_interval().seconds(), 900);
  EXPECT_EQ(source.schedule().retries(), 2);
  EXPECT_TRUE(source.import_at_start());
  EXPECT_THAT(source.debian().components(), ElementsAre("main"));
  EXPECT_THAT(source.debian().languages(), ElementsAre("en"));
  EXPECT_EQ(source.debian().architectures_size(), 1);
}

TEST(CompleteConfigTest, FillsInTheDefaultsOfALink) {
  auto config = Parsed<config::v1::DownstreamDaemon>(
      absl::StrCat(kNode, "upstream: {target: \"127.0.0.1:8530\"}"));
  ASSERT_TRUE(CompleteConfig(config).ok());
  EXPECT_TRUE(config.upstream().watch());
  EXPECT_EQ(config.upstream().schedule().times_a_day(), 24);
  EXPECT_EQ(config.upstream().stall_timeout().seconds(), 30);
  EXPECT_EQ(config.upstream().parallel_transfers(), 4);
  EXPECT_EQ(config.parity().times_a_day(), 1);
  EXPECT_TRUE(config.parity().at_start());
  EXPECT_FALSE(config.parity().verify_content());
}

TEST(CompleteConfigTest, KeepsWhatIsSetToZeroOrFalse) {
  auto config = Parsed<config::v1::DownstreamDaemon>(
      absl::StrCat(kNode, "upstream: {target: \"unix:/u\", watch: false, ",
                   "schedule: {times_a_day: 0, jitter: 0s, retries: 0}}"));
  ASSERT_TRUE(CompleteConfig(config).ok());
  EXPECT_FALSE(config.upstream().watch());
  EXPECT_EQ(config.upstream().schedule().times_a_day(), 0);
  EXPECT_EQ(config.upstream().schedule().jitter().seconds(), 0);
  EXPECT_EQ(config.upstream().schedule().retries(), 0);
}

TEST(CompleteConfigTest, KnowsTheModesOfANodeThatFollows) {
  EXPECT_THAT(DownstreamMistakes("mode: root"),
              HasSubstr("mode: \"root\" is neither replica nor autonomous"));
  EXPECT_THAT(DownstreamMistakes("mode: autonomous"), Not(HasSubstr("mode:")));
}

TEST(CompleteConfigTest, NamesWhatIsMissing) {
  EXPECT_THAT(MistakesIn<config::v1::UpstreamDaemon>(""), HasSubstr("node.state_dir: is missing"));
  EXPECT_THAT(MistakesIn<config::v1::UpstreamDaemon>("node: {name: a}"),
              AllOf(HasSubstr("node.state_dir: is missing"),
                    HasSubstr("node.listeners: at least one is needed")));
  EXPECT_THAT(DownstreamMistakes(""), HasSubstr("upstream.target: is missing"));
  EXPECT_THAT(UpstreamMistakes("sources: [{debian: {}}]"),
              AllOf(HasSubstr("sources[0].name: is missing"),
                    HasSubstr("sources[0].debian.uri: is missing"),
                    HasSubstr("sources[0].debian.suite: is missing"),
                    HasSubstr("sources[0].debian.signed_by: is missing")));
}

TEST(CompleteConfigTest, ChecksFallbackUpstreamsAsTheUpstream) {
  auto config = Parsed<config::v1::DownstreamDaemon>(
      absl::StrCat(kNode, "upstream: {target: \"127.0.0.1:8530\"}\n",
                   "fallback_upstreams: [{target: \"unix:/u\"}, {target: \"hq:8531\"}]"));
  EXPECT_TRUE(CompleteConfig(config).ok());
  ASSERT_EQ(config.fallback_upstreams_size(), 2);
  EXPECT_FALSE(config.fallback_upstreams(0).tls());
  EXPECT_TRUE(config.fallback_upstreams(1).tls());
  EXPECT_THAT(
      DownstreamMistakes("upstream: {target: \"unix:/u\"}\nfallback_upstreams: "
                         "[{target: \"unix:/u\"}, {tls: true}, {target: \"hq:1\", tls: false}]"),
      AllOf(HasSubstr("fallback_upstreams[0].target: unix:/u is named already: upstream"),
            HasSubstr("fallback_upstreams[1].target: is missing"),
            HasSubstr("fallback_upstreams[2].target: \"hq:1\" is not local")));
}

TEST(CompleteConfigTest, WantsTlsWhereOthersCanConnect) {
  config::v1::UpstreamDaemon config;
  ASSERT_TRUE(ParseYaml("node: {state_dir: /s, listeners: [{address: \"0.0.0.0:8531\"},"
                        " {address: \"127.0.0.1:8530\"}, {address: \"127.0.0.1:1\", tls: true}]}",
                        "f", config)
                  .ok());
  ASSERT_TRUE(CompleteConfig(config).ok());
  EXPECT_TRUE(config.node().listeners(0).tls());
  EXPECT_EQ(config.node().listeners(0).roles_size(), 5);
  EXPECT_FALSE(config.node().listeners(1).tls());
  EXPECT_TRUE(config.node().listeners(2).tls());
  EXPECT_TRUE(NeedsCertificate(config.node()));
  EXPECT_EQ(config.node().certificates_dir(), "/s/certificates");
}

TEST(CompleteConfigTest, RefusesPlaintextWhereOthersCanConnect) {
  EXPECT_THAT(
      ListenerMistakes("{address: \"0.0.0.0:8530\", tls: false}"),
      HasSubstr("node.listeners[0].address: \"0.0.0.0:8530\" is not local, which needs TLS"));
  EXPECT_THAT(ListenerMistakes("{address: \"127.example.org:1\", tls: false}"),
              HasSubstr("names a host"));
  EXPECT_THAT(ListenerMistakes("{address: \"unix:/s/a.sock\", roles: [node], tls: true}"),
              HasSubstr("a Unix socket has no TLS"));
  EXPECT_THAT(DownstreamMistakes("upstream: {target: \"hq:8530\", tls: false}"),
              HasSubstr("upstream.target: \"hq:8530\" is not local, which needs TLS"));
}

TEST(CompleteConfigTest, RefusesAHostsNameForListening) {
  EXPECT_THAT(ListenerMistakes("{address: \"hq.example:8531\"}"),
              HasSubstr("a listener needs its address"));
}

TEST(CompleteConfigTest, RefusesUsersThatAreNotWellDefined) {
  const auto mistakes = [](const std::string& users) {
    return MistakesIn<config::v1::UpstreamDaemon>(absl::StrCat(
        "node: {state_dir: /s, listeners: [{address: \"127.0.0.1:9\"}], users: [", users, "]}"));
  };
  EXPECT_THAT(mistakes("{roles: [viewer]}"), HasSubstr("node.users[0].name: is missing"));
  EXPECT_THAT(mistakes("{name: ann}"), HasSubstr("node.users[0].roles: at least one"));
  EXPECT_THAT(mistakes("{name: ann, roles: [king]}"), HasSubstr("\"king\" is none of viewer"));
  EXPECT_THAT(mistakes("{name: ann, roles: [node]}"), HasSubstr("nodes' certificates only"));
  EXPECT_THAT(mistakes("{name: ann, roles: [viewer]}, {name: ann, roles: [viewer]}"),
              HasSubstr("node.users[1].name: \"ann\" is node.users[0] already"));
}

TEST(CompleteConfigTest, RefusesMalformedAddresses) {
  EXPECT_THAT(ListenerMistakes("{address: 127.0.0.1}"), HasSubstr("has no port"));
  EXPECT_THAT(ListenerMistakes("{address: \"127.0.0.1:65536\"}"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(ListenerMistakes("{address: \"127.0.0.1:http\"}"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(ListenerMistakes("{address: \"::1:80\"}"), HasSubstr("needs brackets"));
  EXPECT_THAT(ListenerMistakes("{address: \"unix:rel.sock\", roles: [node]}"),
              HasSubstr("absolute path"));
  EXPECT_THAT(ListenerMistakes(
                  absl::StrCat("{address: \"unix:/", std::string(200, 'x'), "\", roles: [node]}")),
              HasSubstr("the system allows 107"));
}

TEST(CompleteConfigTest, RefusesUnknownAndUnsaidRoles) {
  EXPECT_THAT(ListenerMistakes("{address: \"unix:/s\", roles: [viewer, root]}"),
              HasSubstr("node.listeners[0].roles[1]: \"root\" is none of viewer, approver"));
  EXPECT_THAT(ListenerMistakes("{address: \"unix:/s\"}"),
              HasSubstr("node.listeners[0].roles: a Unix socket must say"));
}

TEST(CompleteConfigTest, RefusesTheSameListenerTwice) {
  EXPECT_THAT(ListenerMistakes("{address: \"[::1]:9\"}, {address: \"[::1]:9\"}"),
              HasSubstr("node.listeners[1].address: [::1]:9 is node.listeners[0]'s already"));
}

TEST(CompleteConfigTest, RefusesTwoSourcesOfOneName) {
  EXPECT_THAT(UpstreamMistakes("sources:\n- {name: a, directory: {path: /a}}\n"
                               "- {name: a, directory: {path: /b}}\n"),
              HasSubstr("sources[1].name: \"a\" is the name of sources[0] already"));
}

TEST(CompleteConfigTest, RefusesASourceOfNoOrTwoKinds) {
  EXPECT_THAT(UpstreamMistakes("sources: [{name: a}]"), HasSubstr("exactly one of debian"));
  EXPECT_THAT(UpstreamMistakes("sources: [{name: a, debian: {from_apt_sources: true}, "
                               "directory: {path: /a}}]"),
              HasSubstr("exactly one of debian"));
}

TEST(CompleteConfigTest, RefusesContradictionsInADebianSource) {
  EXPECT_THAT(UpstreamMistakes("sources: [{name: a, debian: {from_apt_sources: true, suite: s}}]"),
              HasSubstr("stands instead of uri"));
  EXPECT_THAT(UpstreamMistakes("sources: [{name: a, debian: {uri: ftp://x, suite: s, "
                               "signed_by: /k, proxy: \"http://u@h:1\", suite_pattern: x}}]"),
              AllOf(HasSubstr("is neither http:, https: nor file:"),
                    HasSubstr("signed_by: must be a .gpg or .asc"), HasSubstr("debian.proxy: "),
                    HasSubstr("suite_pattern: goes with from_apt_sources")));
}

TEST(CompleteConfigTest, RefusesASyntheticSourceOfNoShapeOrTooManyRevisions) {
  EXPECT_THAT(UpstreamMistakes("sources: [{name: a, synthetic: {revisions: -1}}]"),
              AllOf(HasSubstr("sources[0].synthetic.shape: \"\" is none of packages, documents"),
                    HasSubstr("synthetic.revisions: -1 is not from 1 to 2000000")));
  EXPECT_THAT(UpstreamMistakes("sources: [{name: a, synthetic: {shape: documents, "
                               "revisions: 20001}}]"),
              HasSubstr("synthetic.revisions: 20001 is not from 1 to 20000"));
  EXPECT_THAT(UpstreamMistakes("sources: [{name: a, synthetic: {shape: packages}, "
                               "directory: {path: /a}}]"),
              HasSubstr("exactly one of debian"));
}

TEST(CompleteConfigTest, RefusesSchedulesOutOfRange) {
  EXPECT_THAT(DownstreamMistakes("upstream: {target: \"unix:/u\", schedule: {times_a_day: 25, "
                                 "first_at: \"24:00\", retries: -1}}"),
              AllOf(HasSubstr("upstream.schedule.times_a_day: 25 is not from 0 to 24"),
                    HasSubstr("upstream.schedule.first_at: \"24:00\" is not a time"),
                    HasSubstr("upstream.schedule.retries: -1")));
  EXPECT_THAT(DownstreamMistakes("upstream: {target: \"unix:/u\"}\nparity: {times_a_day: 25}"),
              HasSubstr("parity.times_a_day: 25 is not from 0 to 24"));
}

TEST(CompleteConfigTest, RefusesATargetThatCannotBeCalled) {
  EXPECT_THAT(DownstreamMistakes("upstream: {target: \"127.0.0.1:0\"}"),
              HasSubstr("upstream.target: port 0 cannot be called"));
  EXPECT_THAT(DownstreamMistakes("upstream: {target: \":8530\"}"), HasSubstr("upstream.target: "));
}

TEST(CompleteConfigTest, WantsTlsForAnUpstreamOnAnotherMachine) {
  config::v1::DownstreamDaemon config;
  ASSERT_TRUE(ParseYaml("node: {state_dir: /s, listeners: [{address: \"127.0.0.1:9\"}]}\n"
                        "upstream: {target: \"hq.example:8531\"}",
                        "f", config)
                  .ok());
  ASSERT_TRUE(CompleteConfig(config).ok());
  EXPECT_TRUE(config.upstream().tls());
}

TEST(CompleteConfigTest, RefusesANodeThatFollowsItself) {
  EXPECT_THAT(MistakesIn<config::v1::DownstreamDaemon>(
                  "node: {state_dir: /s, listeners: [{address: \"127.0.0.1:9\"}]}\n"
                  "upstream: {target: \"127.0.0.1:9\"}"),
              HasSubstr("a node cannot follow itself"));
}

TEST(CompleteConfigTest, RefusesOtherBadValues) {
  EXPECT_THAT(MistakesIn<config::v1::UpstreamDaemon>(
                  "node: {state_dir: s, log_level: loud, addresses_file: a, "
                  "listeners: [{address: 127.0.0.1:0}]}"),
              AllOf(HasSubstr("node.state_dir: must be an absolute path"),
                    HasSubstr("node.log_level: \"loud\" is none of"),
                    HasSubstr("node.addresses_file: must be an absolute path")));
  EXPECT_THAT(DownstreamMistakes("upstream: {target: \"unix:/u\", parallel_transfers: 65, "
                                 "stall_timeout: 10ms}"),
              AllOf(HasSubstr("parallel_transfers: 65"), HasSubstr("stall_timeout: must be")));
  EXPECT_THAT(DownstreamMistakes("upstream: {target: \"unix:/u\"}\nguard_percent: 0"),
              HasSubstr("guard_percent: 0 is not from 1 to 100"));
}

}  // namespace
}  // namespace sluice
