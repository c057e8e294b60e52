// Parity driver: gives the parity schedule a thread and a clock, and runs what is due.
#pragma once

#include <functional>
#include <optional>
#include <thread>

#include "absl/random/random.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mutex.h"
#include "downstream/parity_runner.h"
#include "downstream/parity_schedule.h"
#include "sluice/v1/sync_service.pb.h"

namespace sluice {

class ParityDriver {
 public:
  struct Options {
    ParitySchedule::Options schedule;
    bool verify_content = false;
    // Called by the driver's thread after each synchronisation that went through. May be empty.
    std::function<void()> after_sync;
  };

  // All references must outlive the driver.
  ParityDriver(Options options, ParityRunner& runner, Clock& clock, Log& log);
  ~ParityDriver();
  ParityDriver(const ParityDriver&) = delete;
  ParityDriver& operator=(const ParityDriver&) = delete;

  void Start();
  // Breaks off a check and ends the thread.
  void Stop();

  // All of these may be called from any thread, and do not wait.
  //
  // Check once the next synchronisation has gone through, as after a change of upstreams.
  void CheckSoon(v1::ParityTrigger trigger);
  // A session has ended.
  void NoteSession(const v1::Session& session);
  // A node above has wanted a check since `at`.
  void Wanted(absl::Time at);

 private:
  // What the thread has to do next.
  struct Work {
    std::optional<ParitySchedule::Due> check;
    bool synchronised = false;
  };

  void Run();
  std::optional<Work> Next();
  void Check(const ParitySchedule::Due& due);

  const Options options_;
  ParityRunner& runner_;
  Clock& clock_;
  Log& log_;
  absl::BitGen random_;
  std::thread thread_;

  Mutex mutex_;
  CondVar posted_;
  ParitySchedule schedule_ ABSL_GUARDED_BY(mutex_);
  bool synchronised_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sluice
