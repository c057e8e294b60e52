// Scripted source: a message source that a test speaks through.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/rpc/message_source.h"

namespace sluice {

// What a test holds of one or many scripted sources; shared with them, for they end when they like.
class Script {
 public:
  // Said by whichever source is asked next.
  void Say(Pull pull) {
    MutexLock lock(mutex_);
    pulls_.push_back(std::move(pull));
    if (waker_) waker_();
    changed_.NotifyAll();
  }

  // Whether, within 10 s, `open` sources exist.
  bool WaitForOpen(int open) {
    return WaitFor([this, open]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return open_ == open; });
  }
  // Whether, within 10 s, somebody has waited `times` times or more for something to be said.
  bool WaitForWaits(int times) {
    return WaitFor([this, times]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return waits_ >= times; });
  }

  Pull Next() {
    MutexLock lock(mutex_);
    if (pulls_.empty()) {
      ++waits_;
      changed_.NotifyAll();
      return Pull::Wait();
    }
    Pull pull = std::move(pulls_.front());
    pulls_.pop_front();
    return pull;
  }
  void SetWaker(Waker waker) {
    MutexLock lock(mutex_);
    waker_ = std::move(waker);
  }
  void CountOpen(int change) {
    MutexLock lock(mutex_);
    open_ += change;
    changed_.NotifyAll();
  }

 private:
  template <typename Condition>
  bool WaitFor(Condition condition) {
    const absl::Time give_up = absl::Now() + absl::Seconds(10);
    MutexLock lock(mutex_);
    while (!condition()) {
      if (!changed_.WaitFor(mutex_, give_up - absl::Now()) && absl::Now() >= give_up) return false;
    }
    return true;
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<Pull> pulls_ ABSL_GUARDED_BY(mutex_);
  Waker waker_ ABSL_GUARDED_BY(mutex_);
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
  int waits_ ABSL_GUARDED_BY(mutex_) = 0;
};

class ScriptedSource : public MessageSource {
 public:
  explicit ScriptedSource(std::shared_ptr<Script> script) : script_(std::move(script)) {
    script_->CountOpen(1);
  }
  ~ScriptedSource() override { script_->CountOpen(-1); }
  Pull Next() override { return script_->Next(); }
  void OnWake(Waker waker) override { script_->SetWaker(std::move(waker)); }

 private:
  const std::shared_ptr<Script> script_;
};

}  // namespace sluice
