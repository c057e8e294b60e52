// Clock: where the time comes from, so that tests and the simulator can decide it.
#pragma once

#include "absl/time/time.h"

namespace sluice {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
};

// The system's clock.
class SystemClock : public Clock {
 public:
  absl::Time Now() override;
};

// A clock that stands still until told.
class ManualClock : public Clock {
 public:
  explicit ManualClock(absl::Time start) : now_(start) {}
  absl::Time Now() override { return now_; }
  void Advance(absl::Duration step) { now_ += step; }
  void Set(absl::Time now) { now_ = now; }

 private:
  absl::Time now_;
};

}  // namespace sluice
