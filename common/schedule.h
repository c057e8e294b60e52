// Schedule: when to synchronise next. Pure.
//
// Times a day at equal distances from a first one, each put off by a random jitter. When the other
// side is unavailable at a scheduled time, a few more attempts follow at an interval (Microsoft's
// "Issues with Synchronization": two more, about 15 minutes apart), then the next scheduled time. A
// node that watches reconnects sooner, with exponential backoff.
#pragma once

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "sluice/config/v1/daemon.pb.h"

namespace sluice {

struct SyncScheduleOptions {
  int times_a_day = 24;                      // 0: never by the clock.
  absl::Duration first_at = absl::Hours(3);  // After local midnight.
  absl::Duration jitter = absl::Minutes(5);
  absl::Duration retry_interval = absl::Minutes(15);
  int retries = 2;
  absl::TimeZone time_zone = absl::LocalTimeZone();
};

// What a checked configuration says. `first_at` is "HH:MM".
SyncScheduleOptions ScheduleFrom(const config::v1::Schedule& schedule);

// The next scheduled time after `now`; infinite future when there is none.
absl::Time NextScheduled(absl::Time now, const SyncScheduleOptions& options,
                         absl::BitGenRef random);

// How long to wait before attempt number `attempt` (2: the second), doubling from `base` up to
// `max`, less a random part of up to a half.
absl::Duration Backoff(int attempt, absl::Duration base, absl::Duration max,
                       absl::BitGenRef random);

}  // namespace sluice
