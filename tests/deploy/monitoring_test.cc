// The alert rules, by Prometheus's own tool, and the page that each of them has.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

std::string Source(const std::string& path) { return absl::StrCat(SLUICE_SOURCE_DIR, "/", path); }

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(AlertsTest, AreUnderstoodAndFireWhenTheyShould) {
  const std::string folder = Source("deploy/monitoring");
  EXPECT_EQ(std::system(absl::StrCat("promtool check rules ", folder, "/alerts.yaml").c_str()), 0);
  EXPECT_EQ(
      std::system(absl::StrCat("cd ", folder, " && promtool test rules alerts_test.yaml").c_str()),
      0);
}

TEST(AlertsTest, HaveAPageEach) {
  std::set<std::string> alerts;
  std::stringstream rules(ReadFile(Source("deploy/monitoring/alerts.yaml")));
  for (std::string line; std::getline(rules, line);) {
    absl::string_view name = line;
    const size_t at = name.find("- alert: ");
    if (at != absl::string_view::npos) alerts.insert(std::string(name.substr(at + 9)));
  }
  std::set<std::string> pages;
  for (const auto& entry : std::filesystem::directory_iterator(Source("docs/runbooks"))) {
    pages.insert(entry.path().stem().string());
    for (const char* part : {"## Meaning", "## Likely causes", "## What to do"}) {
      EXPECT_THAT(ReadFile(entry.path()), ::testing::HasSubstr(part)) << entry.path();
    }
  }
  EXPECT_GT(alerts.size(), 10U);
  EXPECT_EQ(pages, alerts);
}

// A metric that nobody exports is a panel that stays empty.
TEST(DashboardTest, AsksForDocumentedMetricsOnly) {
  google::protobuf::Struct dashboard;
  const std::string text = ReadFile(Source("deploy/monitoring/dashboard.json"));
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(text, &dashboard).ok());
  EXPECT_GT(dashboard.fields().at("panels").list_value().values_size(), 10);
  const std::string documented = ReadFile(Source("docs/metrics.md"));
  int asked = 0;
  for (const auto& panel : dashboard.fields().at("panels").list_value().values()) {
    for (const auto& target : panel.struct_value().fields().at("targets").list_value().values()) {
      const std::string expr = target.struct_value().fields().at("expr").string_value();
      std::vector<std::string> words =
          absl::StrSplit(expr, absl::ByAnyChar("(){}[]=!~<>,/*+- \""), absl::SkipEmpty());
      for (std::string& word : words) {
        const bool metric = absl::StartsWith(word, "sluice_") ||
                            absl::StartsWith(word, "process_") ||
                            absl::StartsWith(word, "grpc_server_");
        if (!metric) continue;
        word = std::string(absl::StripSuffix(word, "_bucket"));
        EXPECT_THAT(documented, ::testing::HasSubstr("`" + word + "`")) << expr;
        ++asked;
      }
    }
  }
  EXPECT_GT(asked, 10);
}

}  // namespace
}  // namespace sluice
