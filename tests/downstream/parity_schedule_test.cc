// When a node compares itself with its upstream, in virtual time.
#include "downstream/parity_schedule.h"

#include <random>

#include "gtest/gtest.h"

namespace sluice {
namespace {

class ParityScheduleTest : public ::testing::Test {
 protected:
  ParitySchedule Make(int times_a_day, bool at_start) {
    return ParitySchedule(
        {.times_a_day = times_a_day, .at_start = at_start, .time_zone = absl::UTCTimeZone()}, now_,
        random_);
  }
  // 2026-11-24 06:00:00 UTC.
  absl::Time now_ = absl::FromUnixSeconds(1795500000);
  std::mt19937_64 random_{1};
};

TEST_F(ParityScheduleTest, ChecksAtTheStartOnceASynchronisationWentThrough) {
  ParitySchedule schedule = Make(0, true);
  EXPECT_EQ(schedule.next_due(), absl::InfiniteFuture());
  EXPECT_FALSE(schedule.Take(now_).has_value());
  schedule.Synchronised();
  const auto due = schedule.Take(now_);
  ASSERT_TRUE(due.has_value());
  EXPECT_EQ(due->trigger, v1::PARITY_TRIGGER_START);
  schedule.Ended(true, now_);
  schedule.Synchronised();
  EXPECT_FALSE(schedule.Take(now_).has_value()) << "not after every synchronisation";
}

TEST_F(ParityScheduleTest, NeverChecksWhenNothingIsConfigured) {
  ParitySchedule schedule = Make(0, false);
  schedule.Synchronised();
  EXPECT_EQ(schedule.next_due(), absl::InfiniteFuture());
}

TEST_F(ParityScheduleTest, ChecksEveryDayBetweenFourAndHalfPast) {
  ParitySchedule schedule = Make(1, false);
  for (int day = 0; day < 3; ++day) {
    const absl::Time due = schedule.next_due();
    const absl::CivilSecond at = absl::ToCivilSecond(due, absl::UTCTimeZone());
    EXPECT_EQ(at.hour(), 4) << at;
    EXPECT_LT(at.minute(), 30) << at;
    EXPECT_FALSE(schedule.Take(due - absl::Seconds(1)).has_value());
    ASSERT_TRUE(schedule.Take(due).has_value());
    schedule.Ended(true, due);
    EXPECT_GT(schedule.next_due(), due + absl::Hours(23));
  }
}

TEST_F(ParityScheduleTest, ChecksAfterAFailoverOnceTheNewUpstreamWasFollowed) {
  ParitySchedule schedule = Make(0, false);
  schedule.CheckSoon(v1::PARITY_TRIGGER_FAILOVER);
  EXPECT_EQ(schedule.next_due(), absl::InfiniteFuture());
  schedule.Synchronised();
  EXPECT_EQ(schedule.Take(now_)->trigger, v1::PARITY_TRIGGER_FAILOVER);
}

TEST_F(ParityScheduleTest, ChecksAtOnceForANodeAboveAndOnceForEachWish) {
  ParitySchedule schedule = Make(0, true);
  schedule.Wanted(now_);
  schedule.Wanted(now_);
  const auto due = schedule.Take(now_);
  ASSERT_TRUE(due.has_value());
  EXPECT_EQ(due->trigger, v1::PARITY_TRIGGER_SUBTREE);
  EXPECT_EQ(due->wanted_at, now_);
  schedule.Wanted(now_);
  EXPECT_FALSE(schedule.Take(now_).has_value());
  schedule.Wanted(now_ + absl::Seconds(1));
  EXPECT_TRUE(schedule.Take(now_).has_value());
}

TEST_F(ParityScheduleTest, TriesTwiceMoreAQuarterOfAnHourApart) {
  ParitySchedule schedule = Make(0, true);
  schedule.Synchronised();
  ASSERT_TRUE(schedule.Take(now_).has_value());
  for (int retry = 0; retry < 2; ++retry) {
    schedule.Ended(false, now_);
    EXPECT_EQ(schedule.next_due(), now_ + absl::Minutes(15));
    now_ += absl::Minutes(15);
    const auto due = schedule.Take(now_);
    ASSERT_TRUE(due.has_value());
    EXPECT_EQ(due->trigger, v1::PARITY_TRIGGER_START);
  }
  schedule.Ended(false, now_);
  EXPECT_EQ(schedule.next_due(), absl::InfiniteFuture());
}

}  // namespace
}  // namespace sluice
