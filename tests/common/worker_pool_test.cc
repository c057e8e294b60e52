#include "common/worker_pool.h"

#include <atomic>
#include <future>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(WorkerPoolTest, RunsWhatIsSubmitted) {
  std::promise<int> ran;
  WorkerPool pool(2);
  pool.Submit([&ran] { ran.set_value(7); });
  EXPECT_EQ(ran.get_future().get(), 7);
}

TEST(WorkerPoolTest, RunsAsMuchAtOnceAsItHasThreads) {
  std::promise<void> first_runs;
  std::promise<void> release;
  WorkerPool pool(2);
  pool.Submit([&] {
    first_runs.set_value();
    release.get_future().wait();
  });
  pool.Submit([&] {
    first_runs.get_future().wait();
    release.set_value();
  });
}

TEST(WorkerPoolTest, RunsDelayedTasksInTheOrderOfTheirTimes) {
  std::promise<void> both;
  std::atomic<int> order = 0;
  WorkerPool pool(1);
  const absl::Time now = absl::Now();
  pool.SubmitAt(now + absl::Milliseconds(20), [&] {
    EXPECT_EQ(order++, 1);
    both.set_value();
  });
  pool.SubmitAt(now + absl::Milliseconds(10), [&] { EXPECT_EQ(order++, 0); });
  both.get_future().wait();
  EXPECT_GE(absl::Now(), now + absl::Milliseconds(20));
}

TEST(WorkerPoolTest, RunsAtOnceWhatIsOverdue) {
  std::promise<void> ran;
  WorkerPool pool(1);
  pool.SubmitAt(absl::InfinitePast(), [&ran] { ran.set_value(); });
  ran.get_future().wait();
}

TEST(WorkerPoolTest, ForgetsACancelledTask) {
  WorkerPool pool(1);
  const auto owned = std::make_shared<int>(1);
  const WorkerPool::TimerId id =
      pool.SubmitAt(absl::Now() + absl::Hours(1), [owned] { FAIL() << "was cancelled"; });
  EXPECT_EQ(owned.use_count(), 2);
  EXPECT_TRUE(pool.Cancel(id));
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_FALSE(pool.Cancel(id));
}

TEST(WorkerPoolTest, EndsWithWhatWasSubmittedAndDropsWhatIsLater) {
  std::atomic<int> ran = 0;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Submit([&ran] { ++ran; });
    pool.SubmitAt(absl::Now() + absl::Hours(1), [] { FAIL() << "is not due"; });
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace sluice
