#include "common/worker_pool.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace sluice {

WorkerPool::WorkerPool(int threads) {
  threads_.reserve(static_cast<size_t>(threads));
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

WorkerPool::~WorkerPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Submit(std::function<void()> task) {
  // Notifies under the mutex, for the task may be the one that lets the pool be destroyed.
  MutexLock lock(mutex_);
  ready_.push_back(std::move(task));
  changed_.NotifyOne();
}

WorkerPool::TimerId WorkerPool::SubmitAt(absl::Time due, std::function<void()> task) {
  MutexLock lock(mutex_);
  const TimerId id = ++last_timer_;
  const auto it = delayed_.emplace(TimerKey(due, id), std::move(task)).first;
  due_.emplace(id, due);
  // Whoever waits does so for the task that was the first until now.
  if (it == delayed_.begin()) changed_.NotifyAll();
  return id;
}

bool WorkerPool::Cancel(TimerId id) {
  std::function<void()> dropped;  // Destroyed outside of the mutex: it may own anything.
  MutexLock lock(mutex_);
  const auto due = due_.find(id);
  if (due == due_.end()) return false;
  const auto task = delayed_.find(TimerKey(due->second, id));
  dropped = std::move(task->second);
  delayed_.erase(task);
  due_.erase(due);
  return true;
}

void WorkerPool::Work() {
  while (true) {
    const std::function<void()> task = Take();
    if (!task) return;
    task();
  }
}

std::function<void()> WorkerPool::Take() {
  MutexLock lock(mutex_);
  while (true) {
    if (!ready_.empty()) {
      std::function<void()> task = std::move(ready_.front());
      ready_.pop_front();
      return task;
    }
    if (stopping_) return nullptr;
    if (delayed_.empty()) {
      changed_.Wait(mutex_);
      continue;
    }
    const auto next = delayed_.begin();
    const absl::Duration wait = next->first.first - absl::Now();
    if (wait > absl::ZeroDuration()) {
      // The system's clock may be set; so nobody sleeps longer than this without looking at it.
      constexpr absl::Duration kWaitMax = absl::Seconds(1);
      changed_.WaitFor(mutex_, std::min(wait, kWaitMax));
      continue;
    }
    std::function<void()> task = std::move(next->second);
    due_.erase(next->first.second);
    delayed_.erase(next);
    return task;
  }
}

}  // namespace sluice
