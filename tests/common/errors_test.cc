#include "common/errors.h"

#include <cctype>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<v1::Reason> AllReasons() {
  std::vector<v1::Reason> reasons;
  const auto* type = v1::Reason_descriptor();
  for (int i = 0; i < type->value_count(); ++i) {
    reasons.push_back(static_cast<v1::Reason>(type->value(i)->number()));
  }
  return reasons;
}

TEST(ErrorsTest, KnowsEveryReason) {
  for (const v1::Reason reason : AllReasons()) {
    EXPECT_EQ(FactsOf(reason).reason, reason) << v1::Reason_Name(reason);
    EXPECT_NE(FactsOf(reason).code, absl::StatusCode::kOk) << v1::Reason_Name(reason);
  }
}

TEST(ErrorsTest, ExplainsEachReasonInWordsOfItsOwn) {
  std::set<absl::string_view> causes;
  std::set<absl::string_view> remedies;
  for (const v1::Reason reason : AllReasons()) {
    const ErrorFacts& facts = FactsOf(reason);
    EXPECT_TRUE(causes.insert(facts.cause).second) << facts.cause;
    EXPECT_TRUE(remedies.insert(facts.remedy).second) << facts.remedy;
    ASSERT_GT(facts.cause.size(), 10u) << v1::Reason_Name(reason);
    ASSERT_GT(facts.remedy.size(), 10u) << v1::Reason_Name(reason);
    EXPECT_TRUE(std::isupper(facts.remedy.front())) << facts.remedy;
    EXPECT_THAT(std::string(facts.remedy), EndsWith("."));
    // A cause continues a line, as in "UPSTREAM_DNS: the name does not resolve".
    EXPECT_NE(facts.cause.back(), '.') << facts.cause;
  }
}

TEST(ErrorsTest, TriesAgainOnlyWhatHasACodeForIt) {
  // Whoever sees the code alone, as a tool from elsewhere does, would take these as final or as
  // worth a try.
  for (const v1::Reason reason : AllReasons()) {
    const ErrorFacts& facts = FactsOf(reason);
    if (facts.code == absl::StatusCode::kInvalidArgument ||
        facts.code == absl::StatusCode::kInternal) {
      EXPECT_FALSE(facts.retryable) << v1::Reason_Name(reason);
    }
  }
}

TEST(ErrorsTest, CarriesAReasonThroughItsNameAndItsStatus) {
  for (const v1::Reason reason : AllReasons()) {
    EXPECT_EQ(ReasonFromName(ReasonName(reason)), reason);
    EXPECT_EQ(ReasonOf(MakeError(reason, "x")), reason);
    EXPECT_EQ(MakeError(reason, "x").code(), FactsOf(reason).code);
  }
  EXPECT_EQ(ReasonName(v1::REASON_UPSTREAM_CONNECT), "UPSTREAM_CONNECT");
  EXPECT_EQ(ReasonFromName("NO_SUCH"), v1::REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonOf(absl::NotFoundError("x")), v1::REASON_UNSPECIFIED);
}

TEST(ErrorsTest, GivesAnErrorOfAnotherCodeAReason) {
  const absl::Status status = WithReason(absl::UnavailableError("gone"), v1::REASON_STORE_LOCKED);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "gone");
  EXPECT_EQ(ReasonOf(status), v1::REASON_STORE_LOCKED);
}

TEST(ErrorsTest, JudgesByReasonFirstAndByCodeWithoutOne) {
  EXPECT_TRUE(IsRetryable(absl::UnavailableError("x")));
  EXPECT_FALSE(IsRetryable(MakeError(v1::REASON_PROXY_AUTH, "x")));  // Unavailable, too.
  EXPECT_FALSE(IsRetryable(absl::InternalError("x")));
  EXPECT_FALSE(IsRetryable(absl::OkStatus()));
}

TEST(ErrorsTest, CarriesARetryDelay) {
  EXPECT_EQ(RetryDelayOf(absl::UnavailableError("x")), absl::ZeroDuration());
  const absl::Status status =
      WithRetryDelay(MakeError(v1::REASON_UPSTREAM_BUSY, "x"), absl::Milliseconds(1500));
  EXPECT_EQ(RetryDelayOf(status), absl::Milliseconds(1500));
  EXPECT_EQ(ReasonOf(status), v1::REASON_UPSTREAM_BUSY);
}

TEST(ErrorsTest, NamesTheWrongFields) {
  const absl::Status status = InvalidRequest({{"a[1].b", "is empty"}, {"c", "is 7; at most 5"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), v1::REASON_INVALID_REQUEST);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a[1].b: is empty; c: is 7"));
  const std::vector<FieldViolation> fields = FieldViolationsOf(status);
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[0].field, "a[1].b");
  EXPECT_EQ(fields[1].description, "is 7; at most 5");
  EXPECT_THAT(FieldViolationsOf(absl::NotFoundError("x")), IsEmpty());
}

}  // namespace
}  // namespace sluice
