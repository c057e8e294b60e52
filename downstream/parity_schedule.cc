#include "downstream/parity_schedule.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr absl::Duration kRetryInterval = absl::Minutes(15);
constexpr int kRetries = 2;

// An hour after the first synchronisation of the day, so that the two do not meet.
absl::Time NextCheck(absl::Time now, const ParitySchedule::Options& options,
                     absl::BitGenRef random) {
  SyncScheduleOptions schedule;
  schedule.times_a_day = options.times_a_day;
  schedule.first_at = absl::Hours(4);
  schedule.jitter = absl::Minutes(30);
  schedule.time_zone = options.time_zone;
  return NextScheduled(now, schedule, random);
}

}  // namespace

ParitySchedule::Options ParitySchedule::From(const config::v1::ParitySchedule& config) {
  Options options;
  if (config.has_times_a_day()) options.times_a_day = config.times_a_day();
  if (config.has_at_start()) options.at_start = config.at_start();
  return options;
}

ParitySchedule::ParitySchedule(Options options, absl::Time now, absl::BitGenRef random)
    : options_(std::move(options)),
      random_(random),
      next_scheduled_(NextCheck(now, options_, random)) {
  if (options_.at_start) after_sync_.insert(v1::PARITY_TRIGGER_START);
}

void ParitySchedule::CheckSoon(v1::ParityTrigger trigger) { after_sync_.insert(trigger); }

void ParitySchedule::Synchronised() { now_.merge(after_sync_); }

void ParitySchedule::Wanted(absl::Time at) {
  if (at <= wanted_at_) return;
  wanted_at_ = at;
  now_.insert(v1::PARITY_TRIGGER_SUBTREE);
}

absl::Time ParitySchedule::next_due() const {
  if (!now_.empty()) return absl::InfinitePast();
  return std::min(next_scheduled_, retry_at_);
}

std::optional<ParitySchedule::Due> ParitySchedule::Take(absl::Time now) {
  if (next_due() > now) return std::nullopt;
  Due due;
  if (now_.contains(v1::PARITY_TRIGGER_SUBTREE)) {
    due = {v1::PARITY_TRIGGER_SUBTREE, wanted_at_};
  } else if (!now_.empty()) {
    due.trigger = *now_.rbegin();
  } else if (retry_at_ <= now) {
    due = last_;
  } else {
    due.trigger = v1::PARITY_TRIGGER_SCHEDULE;
  }
  now_.clear();
  retry_at_ = absl::InfiniteFuture();
  if (next_scheduled_ <= now) {
    next_scheduled_ = NextCheck(now, options_, random_);
    failures_ = 0;
  }
  last_ = due;
  return due;
}

void ParitySchedule::Ended(bool checked, absl::Time now) {
  if (checked || failures_ == kRetries) {
    failures_ = 0;
    return;
  }
  ++failures_;
  retry_at_ = now + kRetryInterval;
}

}  // namespace sluice
