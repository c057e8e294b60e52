#include "downstream/upstream_choice.h"

#include <random>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Verdict = UpstreamChoice::Verdict;

const absl::Status kAway = MakeError(v1::REASON_UPSTREAM_CONNECT, "refused");
const absl::Status kBelow = MakeError(v1::REASON_LOOP, "it is below");

class UpstreamChoiceTest : public ::testing::Test {
 protected:
  // Asks those that are due, and answers; says what came of the last.
  Verdict Probe(const absl::Status& answer) {
    now_ += absl::Minutes(1);
    Verdict verdict = Verdict::kStay;
    for (const size_t upstream : choice_.TakeProbes(now_)) {
      verdict = choice_.ProbeAnswered(upstream, answer, now_);
    }
    return verdict;
  }
  Verdict FailTwice() {
    choice_.Failed(kAway, now_);
    return choice_.Failed(kAway, now_ += absl::Seconds(1));
  }
  // How many good answers it takes to return from the second to the first.
  int AnswersUntilReturn() {
    int answers = 1;
    while (Probe(absl::OkStatus()) == Verdict::kStay && answers < 100) ++answers;
    return answers;
  }

  std::mt19937_64 random_{1};
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  UpstreamChoice choice_{3, {}, random_};
};

TEST_F(UpstreamChoiceTest, TriesTheNextAfterTwoFailuresInARow) {
  EXPECT_EQ(choice_.Failed(kAway, now_), Verdict::kStay);
  choice_.Succeeded(now_);
  EXPECT_EQ(choice_.Failed(kAway, now_), Verdict::kStay);
  EXPECT_FALSE(choice_.failed_over());
  EXPECT_EQ(choice_.Failed(kAway, now_), Verdict::kSwitch);
  EXPECT_EQ(choice_.current(), 1U);
  EXPECT_EQ(choice_.failed_over_since(), now_);
}

TEST_F(UpstreamChoiceTest, TriesTheNextAfterHalfAMinuteWithoutConnection) {
  choice_.Broke(now_);
  EXPECT_EQ(choice_.next_due(), now_ + absl::Seconds(30));
  EXPECT_EQ(choice_.Tick(now_ + absl::Seconds(29)), Verdict::kStay);
  EXPECT_EQ(choice_.Tick(now_ + absl::Seconds(30)), Verdict::kSwitch);
  EXPECT_EQ(choice_.current(), 1U);
  EXPECT_EQ(choice_.Tick(now_ + absl::Seconds(31)), Verdict::kStay) << "it was only switched to";
}

TEST_F(UpstreamChoiceTest, StaysWhenTheConnectionComesBack) {
  choice_.Broke(now_);
  choice_.Succeeded(now_ + absl::Seconds(5));
  EXPECT_EQ(choice_.Tick(now_ + absl::Minutes(1)), Verdict::kStay);
  EXPECT_EQ(choice_.next_due(), absl::InfiniteFuture());
}

TEST_F(UpstreamChoiceTest, LeavesOneThatRefusesAtOnceAndPassesItOver) {
  EXPECT_EQ(FailTwice(), Verdict::kSwitch);
  EXPECT_EQ(choice_.Failed(kBelow, now_), Verdict::kSwitch);
  EXPECT_EQ(choice_.current(), 2U);
  EXPECT_EQ(FailTwice(), Verdict::kSwitchLater) << "all have failed";
  EXPECT_EQ(choice_.current(), 0U);
  EXPECT_EQ(FailTwice(), Verdict::kSwitchLater);
  EXPECT_EQ(choice_.current(), 2U) << "the second said that it is below";
  now_ += absl::Minutes(10);
  FailTwice();
  FailTwice();
  EXPECT_EQ(choice_.current(), 1U) << "it may have been moved since";
}

TEST_F(UpstreamChoiceTest, TakesItsTimeOnlyWhenAllHaveFailed) {
  EXPECT_EQ(FailTwice(), Verdict::kSwitch);
  EXPECT_EQ(FailTwice(), Verdict::kSwitch);
  EXPECT_EQ(FailTwice(), Verdict::kSwitchLater);
  EXPECT_EQ(FailTwice(), Verdict::kSwitchLater);
  choice_.Succeeded(now_);
  EXPECT_EQ(FailTwice(), Verdict::kSwitch);
}

TEST_F(UpstreamChoiceTest, ReturnsWhenThePreferredOneAnsweredTwice) {
  FailTwice();
  choice_.Succeeded(now_);
  EXPECT_THAT(choice_.TakeProbes(now_), IsEmpty());
  EXPECT_LE(choice_.next_due(), now_ + absl::Minutes(1));
  EXPECT_GE(choice_.next_due(), now_ + absl::Seconds(45));
  EXPECT_EQ(Probe(absl::OkStatus()), Verdict::kStay);
  EXPECT_EQ(Probe(kAway), Verdict::kStay);
  EXPECT_EQ(Probe(absl::OkStatus()), Verdict::kStay) << "in a row";
  EXPECT_EQ(Probe(absl::OkStatus()), Verdict::kSwitch);
  EXPECT_EQ(choice_.current(), 0U);
  EXPECT_FALSE(choice_.failed_over());
  EXPECT_EQ(choice_.next_due(), absl::InfiniteFuture()) << "nobody is asked any more";
}

TEST_F(UpstreamChoiceTest, ReturnsToTheBestThatAnswers) {
  FailTwice();
  FailTwice();
  ASSERT_EQ(choice_.current(), 2U);
  now_ += absl::Minutes(1);
  EXPECT_THAT(choice_.TakeProbes(now_), ElementsAre(0, 1));
  choice_.ProbeAnswered(1, absl::OkStatus(), now_);
  EXPECT_EQ(choice_.ProbeAnswered(1, absl::OkStatus(), now_), Verdict::kSwitch);
  EXPECT_EQ(choice_.current(), 1U);
  EXPECT_EQ(choice_.ProbeAnswered(1, absl::OkStatus(), now_), Verdict::kStay) << "it is followed";
  now_ += absl::Minutes(1);
  EXPECT_THAT(choice_.TakeProbes(now_), ElementsAre(0));
}

TEST_F(UpstreamChoiceTest, GoesToAndFroEverMoreRarelyWhenThePreferredOneDoesNotHold) {
  for (const int answers : {2, 4, 8, 16, 32, 32}) {
    FailTwice();
    choice_.Succeeded(now_);
    ASSERT_EQ(choice_.current(), 1U);
    EXPECT_EQ(AnswersUntilReturn(), answers);
  }
  choice_.Succeeded(now_ += absl::Minutes(10));
  FailTwice();
  EXPECT_EQ(AnswersUntilReturn(), 2) << "it held for ten minutes";
}

TEST_F(UpstreamChoiceTest, HasNothingToChooseWithOneUpstream) {
  UpstreamChoice only(1, {}, random_);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(only.Failed(kBelow, now_), Verdict::kStay);
  only.Broke(now_);
  EXPECT_EQ(only.next_due(), absl::InfiniteFuture());
  EXPECT_EQ(only.Tick(now_ + absl::Hours(1)), Verdict::kStay);
}

}  // namespace
}  // namespace sluice
