#include "common/duration_text.h"

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(ParseDurationTextTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(*ParseDurationText("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseDurationText("30s"), absl::Seconds(30));
  EXPECT_EQ(*ParseDurationText(" 15 min "), absl::Minutes(15));
  EXPECT_EQ(*ParseDurationText("15m"), absl::Minutes(15));
  EXPECT_EQ(*ParseDurationText("2h"), absl::Hours(2));
  EXPECT_EQ(*ParseDurationText("1.5 h"), absl::Minutes(90));
  EXPECT_EQ(*ParseDurationText("1d 12h"), absl::Hours(36));
  EXPECT_EQ(*ParseDurationText("0"), absl::ZeroDuration());
}

TEST(ParseDurationTextTest, RefusesTheRest) {
  for (const absl::string_view text :
       {"", "10", "-5s", "s", "1.5", "5 parsecs", "1s 2h", "1h 1h", "1..5s", "infs", "1h,", "11y",
        "3651d", "99999999999999999999h", "1e9s"}) {
    EXPECT_EQ(ParseDurationText(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(FormatDurationTextTest, WritesWhatIsReadBack) {
  EXPECT_EQ(FormatDurationText(absl::ZeroDuration()), "0s");
  EXPECT_EQ(FormatDurationText(absl::Milliseconds(500)), "500ms");
  EXPECT_EQ(FormatDurationText(absl::Minutes(90)), "1h 30min");
  EXPECT_EQ(FormatDurationText(absl::Hours(25) + absl::Seconds(1)), "1d 1h 1s");
}

}  // namespace
}  // namespace sluice
