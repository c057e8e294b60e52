#include "common/log.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::EndsWith;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

// A stream that keeps what is written to it.
class MemoryStream {
 public:
  MemoryStream() : file_(open_memstream(&data_, &size_)) {}
  ~MemoryStream() {
    std::fclose(file_);
    std::free(data_);
  }
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return std::string(data_, size_);
  }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

TEST(FormatLogLineTest, WritesFactsAsFields) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "sync_finished",
                          {{"upstream", "hq:8531"},
                           {"from_seq", 41},
                           {"bytes", int64_t{73400320}},
                           {"ratio", 0.5},
                           {"first", true},
                           {"duration_seconds", absl::Milliseconds(3200)}}),
            "level=info event=sync_finished upstream=hq:8531 from_seq=41 bytes=73400320 ratio=0.5 "
            "first=true duration_seconds=3.2");
}

TEST(FormatLogLineTest, QuotesAndEscapesWhatIsMoreThanAWord) {
  EXPECT_EQ(FormatLogLine(LogLevel::kWarn, "e",
                          {{"a", ""}, {"b", "two words"}, {"c", "x=\"y\\z\""}, {"d", "1\n2\x01"}}),
            R"(level=warn event=e a="" b="two words" c="x=\"y\\z\"" d="1\n2\u0001")");
}

TEST(FormatLogLineTest, ForgedLinesStayOneLine) {
  const std::string line =
      FormatLogLine(LogLevel::kInfo, "e", {{"name", "x\nlevel=error event=forged"}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(FormatLogLineTest, WritesTimesAndStatuses) {
  EXPECT_EQ(FormatLogLine(LogLevel::kError, "e",
                          {{"at", absl::FromUnixSeconds(0)},
                           {"error", absl::NotFoundError("no such file")},
                           {"none", absl::OkStatus()}}),
            "level=error event=e at=1970-01-01T00:00:00.000Z error=\"NOT_FOUND: no such file\" "
            "none=OK");
}

TEST(FormatLogLineTest, CutsLongValues) {
  const std::string line =
      FormatLogLine(LogLevel::kInfo, "e", {{"long", std::string(100000, 'x')}});
  EXPECT_LT(line.size(), 5000);
  EXPECT_THAT(line, EndsWith("...\""));
}

TEST(LogTest, WritesTheTimeAndLeavesOutLowerLevels) {
  MemoryStream out;
  Log log(LogLevel::kWarn, out.file());
  log.Debug("not_shown");
  log.Info("not_shown");
  log.Warn("disk_filled", {{"free_bytes", 7}});
  EXPECT_THAT(out.text(), MatchesRegex("time=[0-9]+-[0-9]+-[0-9]+T[0-9:]+[.][0-9]+Z level=warn "
                                       "event=disk_filled free_bytes=7\n"));
}

TEST(LogTest, LevelCanBeChanged) {
  MemoryStream out;
  Log log(LogLevel::kOff, out.file());
  log.Error("not_shown");
  EXPECT_EQ(out.text(), "");
  log.SetLevel(LogLevel::kDebug);
  log.Debug("shown");
  EXPECT_THAT(out.text(), EndsWith("level=debug event=shown\n"));
}

TEST(LogTest, LinesOfSeveralThreadsAreNotTorn) {
  MemoryStream out;
  Log log(LogLevel::kInfo, out.file());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&log] {
      for (int k = 0; k < 100; ++k) log.Info("thing_done", {{"text", "some words"}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = out.text();
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  EXPECT_THAT(lines, SizeIs(400));
  for (const std::string& line : lines) {
    EXPECT_THAT(line, EndsWith("level=info event=thing_done text=\"some words\""));
  }
}

TEST(LogTest, WritesJsonThatAProgramReads) {
  MemoryStream out;
  Log log(LogLevel::kInfo, out.file(), LogFormat::kJson);
  log.Info("sync_finished", {{"upstream", "hq \"1\"\n"},
                             {"from_seq", 41},
                             {"seconds", absl::Seconds(2)},
                             {"complete", true},
                             {"ratio", 0.5}});
  EXPECT_THAT(out.text(), EndsWith("\"level\":\"info\",\"event\":\"sync_finished\","
                                   "\"upstream\":\"hq \\\"1\\\"\\n\",\"from_seq\":41,"
                                   "\"seconds\":2,\"complete\":true,\"ratio\":0.5}\n"));
  google::protobuf::Struct parsed;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(out.text(), &parsed).ok()) << out.text();
  EXPECT_EQ(parsed.fields().at("upstream").string_value(), "hq \"1\"\n");
  EXPECT_EQ(parsed.fields().count("time"), 1U);
}

TEST(LogTest, CutsALongValueBetweenCharacters) {
  std::string text(4095, 'x');
  text += "\xc3\xa4";
  EXPECT_THAT(FormatLogMembers(LogLevel::kInfo, "e", {{"text", text}}), EndsWith("x...\""));
}

TEST(ParseLogFormatTest, KnowsTwo) {
  EXPECT_EQ(*ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(ParseLogFormat("xml").status().message(), "\"xml\" is neither logfmt nor json");
}

TEST(ParseLogLevelTest, KnowsFourLevels) {
  EXPECT_EQ(*ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(*ParseLogLevel("warn"), LogLevel::kWarn);
  EXPECT_EQ(ParseLogLevel("verbose").status().message(),
            "\"verbose\" is none of debug, info, warn, error");
}

}  // namespace
}  // namespace sluice
