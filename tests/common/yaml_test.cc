#include "common/yaml.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/config/v1/daemon.pb.h"
#include "sluice/v1/catalog_service.pb.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MistakeOf(absl::string_view text, google::protobuf::Message& out) {
  const absl::Status status = ParseYaml(text, "sluice.yaml", out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

std::string MistakeOf(absl::string_view text) {
  config::v1::UpstreamDaemon out;
  return MistakeOf(text, out);
}

TEST(ParseYamlTest, ReadsEveryKindOfField) {
  config::v1::UpstreamDaemon out;
  const absl::Status status = ParseYaml(R"(
# a comment
node:
  name: hq
  state_dir: "/var/lib/sluice"
  drain_timeout: 15 min
  listeners:
    - address: 127.0.0.1:8530
      roles: [viewer, node]
    - {address: "unix:/run/sluice/admin.sock", roles: [administrator]}
sources:
  - name: bookworm
    import_at_start: false
    debian:
      uri: http://archive.example.org/debian
    schedule:
      times_a_day: 4
      first_at: 03:00
      jitter: 500ms
)",
                                        "sluice.yaml", out);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.node().name(), "hq");
  EXPECT_EQ(out.node().drain_timeout().seconds(), 900);
  ASSERT_EQ(out.node().listeners_size(), 2);
  EXPECT_THAT(out.node().listeners(0).roles(), ElementsAre("viewer", "node"));
  EXPECT_EQ(out.node().listeners(1).address(), "unix:/run/sluice/admin.sock");
  const config::v1::Source& source = out.sources(0);
  EXPECT_TRUE(source.has_import_at_start());
  EXPECT_FALSE(source.import_at_start());
  EXPECT_EQ(source.schedule().times_a_day(), 4);
  EXPECT_EQ(source.schedule().first_at(), "03:00");
  EXPECT_EQ(source.schedule().jitter().nanos(), 500000000);
}

TEST(ParseYamlTest, KeepsTextsThatOtherReadersTakeForSomethingElse) {
  for (const absl::string_view text :
       {"03:00", "no", "on", "1.10", "0777", "0x1F", "1e3", "2026-11-24"}) {
    config::v1::UpstreamDaemon out;
    ASSERT_TRUE(ParseYaml(absl::StrCat("node: {name: ", text, "}"), "f", out).ok());
    EXPECT_EQ(out.node().name(), std::string(text));
  }
}

TEST(ParseYamlTest, AnEmptyDocumentIsAnEmptyMessage) {
  config::v1::UpstreamDaemon out;
  out.mutable_node()->set_name("left over");
  EXPECT_TRUE(ParseYaml("", "f", out).ok());
  EXPECT_FALSE(out.has_node());
  EXPECT_TRUE(ParseYaml("# only a comment\n", "f", out).ok());
  EXPECT_TRUE(ParseYaml("---\n", "f", out).ok());
}

TEST(ParseYamlTest, NamesFileLineAndPathOfAnUnknownField) {
  EXPECT_THAT(MistakeOf("node:\n  name: hq\n  listeners:\n  - address: a\n  - adress: b\n"),
              AllOf(HasSubstr("sluice.yaml:5: node.listeners[1].adress: unknown field"),
                    HasSubstr("known here: address, roles")));
}

TEST(ParseYamlTest, RefusesTheJsonSpellingOfAField) {
  EXPECT_THAT(MistakeOf("node: {stateDir: /a}"), HasSubstr("node.stateDir: unknown field"));
}

TEST(ParseYamlTest, NamesBothLinesOfARepeatedField) {
  EXPECT_THAT(MistakeOf("node:\n  name: a\n  name: b\n"),
              HasSubstr("sluice.yaml:3: node.name: repeated; it stands in line 2 already"));
}

TEST(ParseYamlTest, ReportsSeveralMistakesAtOnce) {
  EXPECT_THAT(
      MistakeOf("node:\n  nam: a\n  state_dir: [b]\n"),
      AllOf(HasSubstr("sluice.yaml:2: node.nam: "),
            HasSubstr("; sluice.yaml:3: node.state_dir: must be a single value, and is a list")));
}

TEST(ParseYamlTest, RefusesAWrongShape) {
  EXPECT_THAT(MistakeOf("- a\n"), HasSubstr("sluice.yaml:1: must be a mapping of node, sources"));
  EXPECT_THAT(MistakeOf("node: hq"), HasSubstr("node: must be a mapping"));
  EXPECT_THAT(
      MistakeOf("node:\n  listeners:\n  - roles: viewer\n"),
      HasSubstr("sluice.yaml:3: node.listeners[0].roles: must be a list, and is a single value"));
  EXPECT_THAT(MistakeOf("node: {name: {a: b}}"), HasSubstr("node.name: must be a single value"));
  EXPECT_THAT(MistakeOf("? [a, b]\n: c\n"), HasSubstr("a key must be a field's name"));
  EXPECT_THAT(MistakeOf("<<: {node: {name: a}}"), HasSubstr("<<: unknown field"));
}

TEST(ParseYamlTest, RefusesAFieldWithoutAValue) {
  EXPECT_THAT(MistakeOf("node:\n  name:\n"), HasSubstr("sluice.yaml:2: node.name: has no value"));
  EXPECT_THAT(MistakeOf("node: ~"), HasSubstr("node: has no value"));
  config::v1::UpstreamDaemon out;
  EXPECT_TRUE(ParseYaml("node: {name: \"\"}", "f", out).ok());
}

TEST(ParseYamlTest, RefusesWhatIsNoNumber) {
  const auto with = [](absl::string_view value) {
    return MistakeOf(absl::StrCat("sources:\n- schedule:\n    times_a_day: ", value, "\n"));
  };
  EXPECT_THAT(with("often"),
              HasSubstr("sluice.yaml:3: sources[0].schedule.times_a_day: must be a whole"));
  EXPECT_THAT(with("\"4\""), HasSubstr("without quotes"));
  EXPECT_THAT(with("4.0"), HasSubstr("must be a whole decimal number"));
  EXPECT_THAT(with("010"), HasSubstr("must be a whole decimal number"));
  EXPECT_THAT(with("0x10"), HasSubstr("must be a whole decimal number"));
  EXPECT_THAT(with("+4"), HasSubstr("must be a whole decimal number"));
}

TEST(ParseYamlTest, RefusesNumbersOutOfRange) {
  EXPECT_THAT(MistakeOf("sources: [{schedule: {times_a_day: 2147483648}}]"),
              HasSubstr("2147483648 is out of range; it must be from -2147483648 to 2147483647"));
  EXPECT_THAT(MistakeOf("sources: [{schedule: {times_a_day: 99999999999999999999999}}]"),
              HasSubstr("is out of range"));
}

TEST(ParseYamlTest, TakesTrueAndFalseAndNothingElse) {
  for (const absl::string_view value : {"yes", "no", "on", "1", "\"true\"", "y"}) {
    EXPECT_THAT(MistakeOf(absl::StrCat("sources: [{import_at_start: ", value, "}]")),
                HasSubstr("must be true or false without quotes"));
  }
}

TEST(ParseYamlTest, RefusesMalformedLengthsOfTime) {
  EXPECT_THAT(MistakeOf("node: {drain_timeout: 10}"),
              HasSubstr("node.drain_timeout: \"10\" needs a unit"));
  EXPECT_THAT(MistakeOf("node: {drain_timeout: soon}"), HasSubstr("is not a length of time"));
  EXPECT_THAT(MistakeOf("node: {drain_timeout: -5s}"), HasSubstr("is not a length of time"));
  EXPECT_THAT(MistakeOf("node: {drain_timeout: {seconds: 5}}"),
              HasSubstr("must be a single value"));
}

TEST(ParseYamlTest, ReadsEnumsByNameWithOrWithoutPrefix) {
  for (const absl::string_view value : {"critical", "Critical", "SEVERITY_CRITICAL"}) {
    v1::UpdateManifest out;
    ASSERT_TRUE(ParseYaml(absl::StrCat("severity: ", value), "f", out).ok());
    EXPECT_EQ(out.severity(), v1::SEVERITY_CRITICAL);
  }
  v1::UpdateManifest out;
  EXPECT_THAT(
      MistakeOf("severity: bad", out),
      HasSubstr("sluice.yaml:1: severity: \"bad\" is none of low, moderate, important, critical"));
  EXPECT_THAT(MistakeOf("severity: 4", out), HasSubstr("is none of"));
}

TEST(ParseYamlTest, RefusesTwoOfWhichOnlyOneMayBeGiven) {
  v1::PublishUpdateRequest out;
  EXPECT_THAT(MistakeOf("file: a\nvalidate_only: true\n", out),
              HasSubstr("sluice.yaml:2: validate_only: cannot be given together with file"));
}

TEST(ParseYamlTest, RefusesRawBytes) {
  v1::PublishUpdateRequest out;
  EXPECT_THAT(MistakeOf("data: abc", out), HasSubstr("raw bytes cannot be given"));
}

TEST(ParseYamlTest, NamesTheLineOfASyntaxError) {
  EXPECT_THAT(MistakeOf("node:\n  name: [a\n"), HasSubstr("not YAML: "));
  EXPECT_THAT(MistakeOf("node:\n  name: \"a\n"), HasSubstr("sluice.yaml:"));
  EXPECT_THAT(MistakeOf("node:\n\tname: a\n"), HasSubstr("sluice.yaml:2: not YAML: "));
}

TEST(ParseYamlTest, ReadsOneDocumentOnly) {
  EXPECT_THAT(MistakeOf("node: {name: a}\n---\nnode: {name: b}\n"),
              HasSubstr("sluice.yaml:2: a second document"));
}

// From a comma that opens the text, yaml-cpp makes empty documents without end.
TEST(ParseYamlTest, EndsAtAStrayComma) {
  for (const char* text : {",\n", ",node: {name: a}\n", "---\n, [b\n"}) {
    EXPECT_THAT(MistakeOf(text), HasSubstr("a second document")) << text;
  }
}

TEST(ParseYamlTest, ResolvesAliases) {
  config::v1::UpstreamDaemon out;
  ASSERT_TRUE(ParseYaml("sources:\n- &a {name: x}\n- *a\n", "f", out).ok());
  EXPECT_EQ(out.sources(1).name(), "x");
}

TEST(ParseYamlTest, StopsAtAliasesThatMultiply) {
  v1::UpdateManifest out;
  std::string text = "files:\n- &a {languages: [x";
  for (int i = 0; i < 999; ++i) text += ",x";
  text += "]}\n";
  for (int i = 0; i < 999; ++i) text += "- *a\n";
  EXPECT_THAT(MistakeOf(text, out), HasSubstr("has more than 100000 values"));
}

TEST(ParseYamlTest, StopsAtAnAliasToItsOwnContainer) {
  EXPECT_THAT(MistakeOf("node: &a\n  listeners:\n  - *a\n"), HasSubstr("sluice.yaml:"));
}

TEST(ParseYamlTest, StopsAtDeepNesting) {
  EXPECT_THAT(MistakeOf(std::string(20000, '[')), HasSubstr("not YAML: "));
  EXPECT_THAT(MistakeOf(std::string(20000, '{')), HasSubstr("not YAML: "));
}

TEST(ParseYamlTest, RefusesWhatIsNotText) {
  EXPECT_THAT(MistakeOf("node:\n  name: \xff\xfe\n"), HasSubstr("sluice.yaml:2: not UTF-8 text"));
  EXPECT_THAT(MistakeOf("node: {name: \xed\xa0\x80}"), HasSubstr("not UTF-8 text"));
  EXPECT_THAT(MistakeOf(absl::string_view("node: {name: a\0b}", 17)), HasSubstr("not UTF-8 text"));
  config::v1::UpstreamDaemon out;
  ASSERT_TRUE(ParseYaml("node: {name: Zürich 東京 \xf0\x9f\x8c\x8d}", "f", out).ok());
  EXPECT_EQ(out.node().name(), "Zürich 東京 \xf0\x9f\x8c\x8d");
}

TEST(ParseYamlTest, SurvivesDamagedText) {
  const std::string sound =
      "node: &a\n  name: \"hq\\u00e9\"\n  state_dir: |\n    /s\n  listeners:\n  - {address: '1:0', "
      "roles: [viewer, !!str node]}\n? b\n: *a\n";
  std::mt19937 random(20261124);
  const std::string bytes = "{}[]:-?|>&*!#%'\",\n \t\\~<=/@`a0\x80\xff";
  for (int i = 0; i < 3000; ++i) {
    std::string text = sound;
    const uint32_t changes = 1 + random() % 4;
    for (uint32_t change = 0; change < changes; ++change) {
      const size_t at = random() % text.size();
      const size_t count = 1 + random() % 8;
      // Drawn one by one: the order in which arguments are computed is the compiler's choice.
      const char byte = bytes[random() % bytes.size()];
      if (random() % 3 == 0) {
        text.erase(at, count);
      } else {
        text.insert(at, count, byte);
      }
    }
    config::v1::UpstreamDaemon out;
    const absl::Status status = ParseYaml(text, "f", out);
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  }
}

TEST(ParseYamlTest, RefusesAHugeText) {
  EXPECT_THAT(MistakeOf(std::string(static_cast<size_t>(kYamlBytesMax) + 1, '#')),
              HasSubstr("at most 4194304 are read"));
}

}  // namespace
}  // namespace sluice
