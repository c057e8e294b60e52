#include "cli/output.h"

#include <sstream>

#include "cli/human.h"
#include "cli/showing_caller.h"
#include "cli/table.h"
#include "common/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/policy_service.pb.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

TEST(TableTest, AlignsColumnsAndEndsLinesWithoutSpaces) {
  Table table({"NAME", ">SIZE", "NOTE"});
  table.AddRow({"Zürich", "7", ""});
  table.AddRow({"a", "1234 KiB", "x"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "NAME        SIZE  NOTE\n"
            "Zürich         7\n"
            "a       1234 KiB  x\n");
}

TEST(TableTest, DoesNotLetAPeerSteerTheTerminal) {
  Table table({"NAME"});
  table.AddRow({"a\x1b[2Jb\nc\xc2\x9b"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(), "NAME\na?[2Jb?c?\n");
}

TEST(HumanTest, WritesSizes) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(812), "812 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1024), "1.0 KiB");
  EXPECT_EQ(HumanBytes(73400320), "70 MiB");
  EXPECT_EQ(HumanBytes(int64_t{1} << 62), "4096 PiB");
}

TEST(HumanTest, WritesLengthsOfTime) {
  EXPECT_EQ(HumanDuration(absl::Seconds(-3)), "0 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(59)), "59 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(61)), "1 min");
  EXPECT_EQ(HumanDuration(absl::Hours(47)), "47 h");
  EXPECT_EQ(HumanDuration(absl::Hours(48)), "2 d");
}

TEST(HumanTest, WritesEnumsAsWords) {
  EXPECT_EQ(WordOf(v1::UPDATE_STATE_NOT_APPROVED), "not approved");
  EXPECT_EQ(WordOf(v1::UPDATE_STATE_UNSPECIFIED), "-");
  EXPECT_EQ(WordOf(static_cast<v1::UpdateState>(99)), "99");
}

TEST(HumanTest, KeepsATimeThroughATimestamp) {
  const absl::Time time = absl::FromUnixMillis(1795500000123);
  EXPECT_EQ(ToTime(ToTimestamp(time)), time);
  EXPECT_EQ(HumanTime(time, absl::UTCTimeZone()), "2026-11-24 06:00:00");
}

TEST(OutputTest, JsonHasFieldsWithoutAValueToo) {
  v1::GroupStatus group;
  group.set_name("Servers");
  EXPECT_EQ(ToJson(group, /*indented=*/false),
            "{\"groupId\":\"\",\"name\":\"Servers\",\"parentId\":\"\",\"approvedUpdates\":\"0\","
            "\"missingUpstream\":false}\n");
}

TEST(OutputTest, YamlKeepsTheOrderAndQuotesWhatCouldBeMistaken) {
  v1::ListGroupsResponse response;
  response.add_groups()->set_name("no");
  v1::GroupStatus& group = *response.add_groups();
  group.set_name("a \"b\"\n: c");
  group.set_group_id("Servers");
  group.set_missing_upstream(true);
  EXPECT_EQ(ToYaml(response),
            "groups:\n"
            "  - groupId: \"\"\n"
            "    name: \"no\"\n"
            "    parentId: \"\"\n"
            "    approvedUpdates: \"0\"\n"
            "    missingUpstream: false\n"
            "  - groupId: Servers\n"
            "    name: \"a \\\"b\\\"\\n: c\"\n"
            "    parentId: \"\"\n"
            "    approvedUpdates: \"0\"\n"
            "    missingUpstream: true\n"
            "nextPageToken: \"\"\n");
}

TEST(OutputTest, YamlOfEmptyListsAndNestedMessages) {
  v1::GetSubscriptionResponse response;
  response.mutable_subscription()->add_products("Debian/12");
  EXPECT_EQ(ToYaml(response),
            "subscription:\n"
            "  products:\n"
            "    - Debian/12\n"
            "  classifications: []\n"
            "  languages: []\n"
            "  updateIds: []\n"
            "unmatched: []\n");
}

TEST(OutputTest, KnowsItsFormats) {
  EXPECT_EQ(*ParseOutputFormat("yaml"), OutputFormat::kYaml);
  EXPECT_THAT(std::string(ParseOutputFormat("xml").status().message()), HasSubstr("none of table"));
}

TEST(ShellQuotedTest, MakesOneWordOfAnything) {
  EXPECT_EQ(ShellQuoted("{\"a\": \"it's\"}"), "'{\"a\": \"it'\\''s\"}'");
}

}  // namespace
}  // namespace sluice
