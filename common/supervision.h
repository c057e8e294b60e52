// Supervision: what a service supervisor is told: that the daemon serves, reloads, stops, and that
// it still works (sd_notify(3)).
//
// Without a supervisor (NOTIFY_SOCKET is not set) nothing is told, and nothing is probed.
#pragma once

#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/log.h"
#include "common/mutex.h"

namespace sluice {

class Supervision {
 public:
  // Where the supervisor wants signs of life (WATCHDOG_USEC), `probe` is called three times in its
  // interval from a thread of its own; only an OK is a sign. It may block for a few seconds.
  Supervision(std::function<absl::Status()> probe, Log& log);
  ~Supervision();
  Supervision(const Supervision&) = delete;
  Supervision& operator=(const Supervision&) = delete;

  void TellReady();
  void TellReloading();
  // The stop takes at most `at_most`.
  void TellStopping(absl::Duration at_most);
  // Returns when `probe` is called no more.
  void StopProbing();

 private:
  void Feed(absl::Duration interval);

  const std::function<absl::Status()> probe_;
  Log& log_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace sluice
