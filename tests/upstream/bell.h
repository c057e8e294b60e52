// Bell: lets a test wait for what another thread does.
#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace sluice {

class Bell {
 public:
  void Ring() {
    MutexLock lock(mutex_);
    ++rings_;
    rung_.NotifyAll();
  }

  // Looks again after each ring until `done()`. False after 10 s.
  template <typename Done>
  bool WaitUntil(const Done& done) {
    const absl::Time end = absl::Now() + absl::Seconds(10);
    while (true) {
      const int seen = rings();
      if (done()) return true;
      MutexLock lock(mutex_);
      while (rings_ == seen) {
        if (absl::Now() >= end) return false;
        rung_.WaitFor(mutex_, end - absl::Now());
      }
    }
  }

 private:
  int rings() {
    MutexLock lock(mutex_);
    return rings_;
  }

  Mutex mutex_;
  CondVar rung_;
  int rings_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sluice
