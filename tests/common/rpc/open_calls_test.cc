#include "common/rpc/open_calls.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

using Verdict = OpenCalls::Verdict;

TEST(OpenCallsTest, SaysOnceThatAConnectionHasTooMany) {
  OpenCalls calls(2);
  EXPECT_EQ(calls.Begin("a"), Verdict::kServe);
  EXPECT_EQ(calls.Begin("a"), Verdict::kServe);
  EXPECT_EQ(calls.Begin("a"), Verdict::kCut);
  EXPECT_EQ(calls.Begin("a"), Verdict::kRefuse);
  EXPECT_EQ(calls.Begin("b"), Verdict::kServe);
}

TEST(OpenCallsTest, CountsThoseThatAreOpenNow) {
  OpenCalls calls(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(calls.Begin("a"), Verdict::kServe);
    calls.End("a");
  }
}

}  // namespace
}  // namespace sluice
