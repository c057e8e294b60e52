// Reports after synchronisations that brought nothing new.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

// By the clock, each hour.
SyncEngineOptions OnSchedule() {
  SyncEngineOptions options = EngineBench::Options();
  options.watch = false;
  options.schedule.times_a_day = 24;
  options.schedule.first_at = absl::Hours(0);
  options.schedule.jitter = absl::ZeroDuration();
  return options;
}

class SyncEngineIdleTest : public ::testing::Test {
 protected:
  SyncEngineIdleTest() {
    bench_.upstream().AddUpdate({.name = "a"});
    bench_.Start();
    bench_.Advance(absl::Seconds(1));
  }

  // The reports of one more session.
  size_t ReportsOfASession() {
    const size_t before = bench_.Count<CallReport>();
    bench_.Tell(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
    bench_.Advance(absl::Seconds(1));
    EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
    return bench_.Count<CallReport>() - before;
  }

  EngineBench bench_{OnSchedule()};
};

TEST_F(SyncEngineIdleTest, SaysNothingMoreThanHelloWhenNothingIsNew) {
  ReportsOfASession();
  const int64_t calls = bench_.calls();
  EXPECT_EQ(ReportsOfASession(), 0U);
  EXPECT_EQ(bench_.calls(), calls + 1);
}

TEST_F(SyncEngineIdleTest, ReportsWhatIsNew) {
  ReportsOfASession();
  bench_.upstream().AddUpdate({.name = "b"});
  EXPECT_GE(ReportsOfASession(), 1U);
  EXPECT_EQ(bench_.All<CallReport>().back().request.nodes(0).updates(), 2);
}

TEST_F(SyncEngineIdleTest, ReportsAgainTwiceADayAllTheSame) {
  ReportsOfASession();
  const size_t before = bench_.Count<CallReport>();
  for (int hour = 0; hour < 24; ++hour) bench_.Advance(absl::Hours(1));
  EXPECT_GE(bench_.Sessions().size(), 24U);
  EXPECT_GE(bench_.Count<CallReport>() - before, 1U);
  EXPECT_LE(bench_.Count<CallReport>() - before, 3U);
}

TEST_F(SyncEngineIdleTest, ReportsAgainWhatWasNotHeard) {
  bench_.upstream().AddUpdate({.name = "b"});
  bench_.intercept = [this](const EngineAction& action) {
    const auto* const report = std::get_if<CallReport>(&action);
    if (report == nullptr) return false;
    bench_.TakeLater(ReportAnswered{report->call, MakeError(v1::REASON_INVALID_REQUEST, "no"), {}});
    return true;
  };
  EXPECT_GE(ReportsOfASession(), 1U);
  EXPECT_EQ(ReportsOfASession(), 1U);
  bench_.intercept = [](const EngineAction&) { return false; };
  EXPECT_EQ(ReportsOfASession(), 1U);
  EXPECT_EQ(ReportsOfASession(), 0U);
}

}  // namespace
}  // namespace sluice
