#include "common/schedule.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/random/distributions.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Nanoseconds(google::protobuf::util::TimeUtil::DurationToNanoseconds(duration));
}

}  // namespace

SyncScheduleOptions ScheduleFrom(const config::v1::Schedule& schedule) {
  SyncScheduleOptions options;
  if (schedule.has_times_a_day()) options.times_a_day = schedule.times_a_day();
  const std::pair<std::string, std::string> clock = absl::StrSplit(schedule.first_at(), ':');
  int hours = 0;
  int minutes = 0;
  if (absl::SimpleAtoi(clock.first, &hours) && absl::SimpleAtoi(clock.second, &minutes)) {
    options.first_at = absl::Hours(hours) + absl::Minutes(minutes);
  }
  if (schedule.has_jitter()) options.jitter = ToDuration(schedule.jitter());
  if (schedule.has_retry_interval()) options.retry_interval = ToDuration(schedule.retry_interval());
  if (schedule.has_retries()) options.retries = schedule.retries();
  return options;
}

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
