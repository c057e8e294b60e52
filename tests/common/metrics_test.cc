#include "common/observe/metrics.h"

#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/observe/process_metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricRegistryTest, WritesEachKindInTheTextFormat) {
  MetricRegistry registry;
  registry.AddGauge({"b_bytes", "Bytes."}).Set(2.5);
  registry.AddCounter({"a_total", "Things."}).Increment(3);
  registry.AddHistogram({"c_seconds", "Time."}, {0.1, 1}).Observe(0.5);
  EXPECT_EQ(registry.Text(),
            "# HELP a_total Things.\n"
            "# TYPE a_total counter\n"
            "a_total 3\n"
            "# HELP b_bytes Bytes.\n"
            "# TYPE b_bytes gauge\n"
            "b_bytes 2.5\n"
            "# HELP c_seconds Time.\n"
            "# TYPE c_seconds histogram\n"
            "c_seconds_count 1\n"
            "c_seconds_sum 0.5\n"
            "c_seconds_bucket{le=\"0.1\"} 0\n"
            "c_seconds_bucket{le=\"1\"} 1\n"
            "c_seconds_bucket{le=\"+Inf\"} 1\n");
}

TEST(MetricRegistryTest, SortsByNameAndLabelsWhateverTheOrderOfTheirMaking) {
  MetricRegistry registry;
  auto& family = registry.AddCounters({"z_total", "."}, {"k"});
  for (const char* value : {"c", "a", "b"}) family.At({value}).Increment();
  registry.AddCallback({"y", "."}, CallbackKind::kGauge, [] { return 7.0; });
  EXPECT_EQ(registry.Text(),
            "# HELP y .\n# TYPE y gauge\ny 7\n"
            "# HELP z_total .\n# TYPE z_total counter\n"
            "z_total{k=\"a\"} 1\nz_total{k=\"b\"} 1\nz_total{k=\"c\"} 1\n");
}

TEST(MetricRegistryTest, EscapesHelpAndLabels) {
  MetricRegistry registry;
  registry.AddCounters({"a_total", "One\nline with \\."}, {"k"}).At({"q\" b\\ n\n"}).Increment();
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("# HELP a_total One\\nline with \\\\.\n"));
  EXPECT_THAT(text, HasSubstr("a_total{k=\"q\\\" b\\\\ n\\n\"} 1\n"));
}

TEST(MetricRegistryTest, WritesNumbersThatAreNone) {
  MetricRegistry registry;
  auto& family = registry.AddGauges({"a", "."}, {"k"});
  family.At({"inf"}).Set(std::numeric_limits<double>::infinity());
  family.At({"nan"}).Set(std::nan(""));
  EXPECT_THAT(registry.Text(), HasSubstr("a{k=\"inf\"} +Inf\na{k=\"nan\"} Nan\n"));
}

TEST(MetricRegistryTest, KeepsAllDigitsOfATime) {
  MetricRegistry registry;
  registry.AddGauge({"a", "."}).Set(1795531375.25);
  EXPECT_THAT(registry.Text(), HasSubstr("a 1795531375.25\n"));
}

TEST(MetricRegistryTest, ReadsCallbacksWhenItIsAsked) {
  MetricRegistry registry;
  double value = 1;
  registry.AddCallback({"a_total", "."}, CallbackKind::kCounter, [&value] { return value; });
  EXPECT_THAT(registry.Text(), HasSubstr("# TYPE a_total counter\na_total 1\n"));
  value = 2;
  EXPECT_THAT(registry.Text(), HasSubstr("a_total 2\n"));
}

TEST(MetricRegistryTest, ReadsCallbacksWithLabels) {
  MetricRegistry registry;
  registry.AddCallbacks({"a", "."}, CallbackKind::kGauge, {"reason"}, [] {
    return std::vector<MetricSample>{{{"Z"}, 1}, {{"B\xff"}, 2}};
  });
  EXPECT_THAT(registry.Text(), HasSubstr("a{reason=\"B?\"} 2\na{reason=\"Z\"} 1\n"));
}

TEST(MetricFamilyTest, GivesTheSameSeriesForTheSameLabels) {
  MetricRegistry registry;
  auto& family = registry.AddCounters({"a_total", "."}, {"x", "y"});
  EXPECT_EQ(&family.At({"1", "2"}), &family.At({"1", "2"}));
  EXPECT_NE(&family.At({"1", "2"}), &family.At({"2", "1"}));
}

TEST(MetricFamilyTest, CountsAllBeyondItsLimitTogether) {
  MetricRegistry registry;
  auto& family = registry.AddCounters({"a_total", "."}, {"x"}, 2);
  for (int i = 0; i < 100; ++i) family.At({absl::StrCat(i)}).Increment();
  family.At({"1"}).Increment();
  EXPECT_EQ(registry.Text(),
            "# HELP a_total .\n# TYPE a_total counter\n"
            "a_total{x=\"0\"} 1\na_total{x=\"1\"} 2\na_total{x=\"other\"} 98\n");
}

TEST(MetricFamilyTest, CleansValuesOfWhatIsNotUtf8) {
  MetricRegistry registry;
  auto& family = registry.AddGauges({"a", "."}, {"k"});
  // A stray byte, a surrogate, an overlong slash, a character cut short; then three good ones.
  family.At({"\xff|\xed\xa0\x80|\xc0\xaf|\xe2\x82"}).Set(1);
  family.At({"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"}).Set(2);
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("a{k=\"?|???|??|??\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("a{k=\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"} 2\n"));
}

TEST(MetricFamilyTest, CutsLongValuesBetweenCharacters) {
  MetricRegistry registry;
  std::string value(127, 'a');
  registry.AddGauges({"a", "."}, {"k"}).At({value + "\xc3\xa4"}).Set(1);
  EXPECT_THAT(registry.Text(), HasSubstr("a{k=\"" + value + "\"} 1\n"));
}

TEST(MetricFamilyTest, LosesNoCountWhenManyThreadsCount) {
  MetricRegistry registry;
  auto& family = registry.AddCounters({"a_total", "."}, {"k"}, 3);
  auto& histogram = registry.AddHistogram({"b_seconds", "."}, {1});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&family, &histogram] {
      for (int i = 0; i < 1000; ++i) {
        family.At({absl::StrCat(i % 3)}).Increment();
        histogram.Observe(0.5);
      }
    });
  }
  for (int i = 0; i < 20; ++i)
    EXPECT_THAT(registry.Text(), HasSubstr("# TYPE b_seconds histogram"));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(family.At({"0"}).Value(), 4 * 334);
  EXPECT_THAT(registry.Text(), HasSubstr("b_seconds_count 4000\n"));
}

TEST(MetricRegistryDeathTest, EndsTheProgramForANameThatCannotBe) {
  MetricRegistry registry;
  registry.AddCounter({"a_total", "."});
  EXPECT_DEATH(registry.AddGauge({"a_total", "."}), "a_total was added before");
  EXPECT_DEATH(registry.AddGauge({"a-b", "."}), "malformed name");
  EXPECT_DEATH(registry.AddGauges({"b", "."}, {"k-k"}), "malformed name");
}

TEST(ProcessMetricsTest, TellsAboutThisProcess) {
  MetricRegistry registry;
  AddProcessMetrics(registry);
  const std::string text = registry.Text();
  for (const char* name :
       {"process_cpu_seconds_total", "process_open_fds", "process_max_fds",
        "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_threads"}) {
    EXPECT_THAT(text, ContainsRegex(absl::StrCat("\n", name, " [0-9]")));
    if (std::string(name) != "process_cpu_seconds_total") {
      EXPECT_THAT(text, Not(HasSubstr(absl::StrCat("\n", name, " 0\n"))));
    }
  }
  EXPECT_THAT(text, ContainsRegex("sluice_build_info.release=\"[0-9.]+\". 1\n"));
}

TEST(ProcessMetricsTest, KnowsWhenTheProcessStarted) {
  MetricRegistry registry;
  AddProcessMetrics(registry);
  const std::string text = registry.Text();
  const std::string name = "\nprocess_start_time_seconds ";
  const double start = std::stod(text.substr(text.find(name) + name.size()));
  const auto now = static_cast<double>(time(nullptr));
  EXPECT_GT(start, now - 3600);
  EXPECT_LE(start, now + 1);
}

}  // namespace
}  // namespace sluice
