#include "common/supervision.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace sluice {
namespace {

void Tell(const std::string& state) { sd_notify(/*unset_environment=*/0, state.c_str()); }

// The supervisor compares it with its own (Type=notify-reload in systemd.service(5)).
int64_t MonotonicMicroseconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::ToInt64Microseconds(absl::DurationFromTimespec(now));
}

}  // namespace

Supervision::Supervision(std::function<absl::Status()> probe, Log& log)
    : probe_(std::move(probe)), log_(log) {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &microseconds) <= 0) return;
  const absl::Duration interval = absl::Microseconds(static_cast<int64_t>(microseconds)) / 3;
  thread_ = std::thread([this, interval] { Feed(interval); });
}

Supervision::~Supervision() { StopProbing(); }

void Supervision::StopProbing() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Supervision::TellReady() { Tell("READY=1\nSTATUS=serving"); }

void Supervision::TellReloading() {
  Tell(absl::StrCat("RELOADING=1\nMONOTONIC_USEC=", MonotonicMicroseconds()));
}

void Supervision::TellStopping(absl::Duration at_most) {
  Tell(absl::StrCat("STOPPING=1\nSTATUS=letting calls finish\nEXTEND_TIMEOUT_USEC=",
                    absl::ToInt64Microseconds(at_most)));
}

void Supervision::Feed(absl::Duration interval) {
  while (true) {
    const absl::Status works = probe_();
    if (works.ok()) {
      Tell("WATCHDOG=1");
    } else {
      log_.Error("self_probe_failed", {{"why", works.message()}});
    }
    MutexLock lock(mutex_);
    const absl::Time next = absl::Now() + interval;
    while (!stopping_ && absl::Now() < next) changed_.WaitFor(mutex_, next - absl::Now());
    if (stopping_) return;
  }
}

}  // namespace sluice
