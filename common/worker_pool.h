// Worker pool: a fixed number of threads for work that may block briefly, and one clock for work
// that is due later.
//
// What waits has no thread: it asks to be run at a time, or when somebody has something for it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace sluice {

class WorkerPool {
 public:
  // Names one delayed task.
  using TimerId = uint64_t;
  static constexpr TimerId kNoTimer = 0;

  explicit WorkerPool(int threads);

  // Runs what was submitted already, drops what is due later, and joins its threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `task` soon, on one of the threads. Who submits bounds how much is queued.
  void Submit(std::function<void()> task);

  // Runs `task` at `due`, or soon when that is past.
  TimerId SubmitAt(absl::Time due, std::function<void()> task);

  // Forgets a delayed task that has not begun; false when it has.
  bool Cancel(TimerId id);

 private:
  using TimerKey = std::pair<absl::Time, TimerId>;

  void Work();
  // The next task; an empty one at the end.
  std::function<void()> Take();

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> ready_ ABSL_GUARDED_BY(mutex_);
  std::map<TimerKey, std::function<void()>> delayed_ ABSL_GUARDED_BY(mutex_);
  std::map<TimerId, absl::Time> due_ ABSL_GUARDED_BY(mutex_);
  TimerId last_timer_ ABSL_GUARDED_BY(mutex_) = kNoTimer;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace sluice
