#include "downstream/sync_schedule.h"

#include <algorithm>

#include "absl/random/distributions.h"

namespace sluice {

absl::Time NextScheduled(absl::Time now, const SyncScheduleOptions& options,
                         absl::BitGenRef random) {
  if (options.times_a_day <= 0) return absl::InfiniteFuture();
  const absl::Duration step = absl::Hours(24) / options.times_a_day;
  const absl::CivilDay today = absl::ToCivilDay(now, options.time_zone);
  // From yesterday's first time on, so that steps that reach over midnight are found too.
  absl::Time at = absl::FromCivil(today - 1, options.time_zone) + options.first_at;
  while (at <= now) at += step;
  const int64_t jitter_ns = absl::ToInt64Nanoseconds(options.jitter);
  return jitter_ns > 0 ? at + absl::Nanoseconds(absl::Uniform<int64_t>(random, 0, jitter_ns)) : at;
}

absl::Duration Backoff(int attempt, absl::Duration base, absl::Duration max,
                       absl::BitGenRef random) {
  constexpr int kDoublingsMax = 20;
  const int doublings = std::clamp(attempt - 2, 0, kDoublingsMax);
  const absl::Duration full = std::min(base * (1 << doublings), max);
  return full * absl::Uniform(random, 0.5, 1.0);
}

}  // namespace sluice
