#include <vector>

#include "common/observe/node_metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(NodeMetricsTest, CountsSessionsByResultAndReason) {
  MetricRegistry registry;
  NodeMetrics metrics(registry);
  metrics.CountSession(SessionResult::kSucceeded, v1::REASON_UNSPECIFIED, absl::Seconds(2));
  metrics.CountSession(SessionResult::kFailed, v1::REASON_UPSTREAM_DNS, absl::Seconds(3));
  const std::string text = registry.Text();
  EXPECT_THAT(text,
              HasSubstr("sluice_sync_sessions_total{reason=\"none\",result=\"succeeded\"} 1\n"));
  EXPECT_THAT(
      text, HasSubstr("sluice_sync_sessions_total{reason=\"UPSTREAM_DNS\",result=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_sync_session_seconds_sum 5\n"));
}

TEST(NodeMetricsTest, BeginsWithZeroForEveryReasonOfAFailure) {
  MetricRegistry registry;
  const NodeMetrics metrics(registry);
  EXPECT_THAT(registry.Text(),
              HasSubstr("sluice_sync_sessions_total{reason=\"GUARD_HELD\",result=\"failed\"} 0\n"));
  EXPECT_THAT(registry.Text(), Not(HasSubstr("other")));
}

TEST(NodeMetricsTest, PutsCommitsIntoBuckets) {
  MetricRegistry registry;
  NodeMetrics metrics(registry);
  metrics.CountCommit(absl::Microseconds(178));
  metrics.CountCommit(absl::Seconds(30));
  EXPECT_THAT(registry.Text(), HasSubstr("sluice_store_commit_seconds_bucket{le=\"0.0005\"} 1\n"));
  EXPECT_THAT(registry.Text(), HasSubstr("sluice_store_commit_seconds_bucket{le=\"20\"} 1\n"));
  EXPECT_THAT(registry.Text(), HasSubstr("sluice_store_commit_seconds_bucket{le=\"+Inf\"} 2\n"));
}

TEST(NodeReadingsTest, LeavesOutWhatIsNotRead) {
  MetricRegistry registry;
  AddNodeReadings(registry, {});
  EXPECT_EQ(registry.Text(), "");
}

TEST(NodeReadingsTest, WritesTimesAsSecondsAndNeverAsZero) {
  MetricRegistry registry;
  absl::Time last = absl::InfinitePast();
  NodeReadings readings;
  readings.sync_last_success = [&last] { return last; };
  AddNodeReadings(registry, readings);
  EXPECT_THAT(registry.Text(), HasSubstr("\nsluice_sync_last_success_timestamp_seconds 0\n"));
  last = absl::FromUnixSeconds(1795531375);
  EXPECT_THAT(registry.Text(),
              HasSubstr("\nsluice_sync_last_success_timestamp_seconds 1795531375\n"));
}

TEST(NodeReadingsTest, WritesEachReasonAndClassOnce) {
  MetricRegistry registry;
  NodeReadings readings;
  readings.conditions = [] {
    return std::vector<v1::Reason>{v1::REASON_UPSTREAM_DNS, v1::REASON_GUARD_HELD,
                                   v1::REASON_UPSTREAM_DNS};
  };
  readings.parity_findings = [] {
    return std::vector<FindingCount>{{"content_missing", 2}, {"content_missing", 3}};
  };
  AddNodeReadings(registry, readings);
  EXPECT_THAT(registry.Text(), HasSubstr("sluice_condition_active{reason=\"GUARD_HELD\"} 1\n"
                                         "sluice_condition_active{reason=\"UPSTREAM_DNS\"} 1\n"));
  EXPECT_THAT(registry.Text(), HasSubstr("sluice_parity_findings{class=\"content_missing\"} 5\n"));
}

}  // namespace
}  // namespace sluice
