#include "cli/arguments.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

const std::vector<FlagSpec> kFlags = {
    {"--group", "NAME", ""}, {"--yes", "", ""}, {"-o", "FORMAT", ""}, {"--many", "X", "", true}};

std::string MistakeIn(const std::vector<std::string>& words) {
  const auto parsed = Arguments::Parse(words, kFlags);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

TEST(ArgumentsTest, TellsFlagsFromPositionals) {
  const auto parsed = Arguments::Parse({"a", "--group", "g", "b", "--yes", "-o=json"}, kFlags);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->positionals(), ElementsAre("a", "b"));
  EXPECT_EQ(parsed->Get("--group"), "g");
  EXPECT_TRUE(parsed->Has("--yes"));
  EXPECT_EQ(parsed->Get("-o"), "json");
  EXPECT_FALSE(parsed->Has("--many"));
  EXPECT_EQ(parsed->Get("--many"), "");
}

TEST(ArgumentsTest, KeepsAllValuesOfARepeatedFlag) {
  const auto parsed = Arguments::Parse({"--many", "1", "--many=2", "--many="}, kFlags);
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->GetAll("--many"), ElementsAre("1", "2", ""));
}

TEST(ArgumentsTest, TakesEverythingBehindTwoDashesAndASingleDashAsPositional) {
  const auto parsed = Arguments::Parse({"-", "--", "--yes", "--"}, kFlags);
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->positionals(), ElementsAre("-", "--yes", "--"));
}

TEST(ArgumentsTest, AValueMayLookLikeAFlag) {
  EXPECT_EQ(Arguments::Parse({"--group", "--yes"}, kFlags)->Get("--group"), "--yes");
}

TEST(ArgumentsTest, NamesWhatIsWrong) {
  EXPECT_EQ(MistakeIn({"--gruop", "g"}), "unknown flag --gruop");
  EXPECT_EQ(MistakeIn({"--group"}), "--group needs a value: NAME");
  EXPECT_EQ(MistakeIn({"--yes=1"}), "--yes takes no value");
  EXPECT_EQ(MistakeIn({"--group", "a", "--group", "b"}), "--group is given twice");
}

}  // namespace
}  // namespace sluice
