#include "downstream/parity_driver.h"

#include <string>
#include <utility>

#include "common/errors.h"

namespace sluice {

ParityDriver::ParityDriver(Options options, ParityRunner& runner, Clock& clock, Log& log)
    : options_(std::move(options)),
      runner_(runner),
      clock_(clock),
      log_(log),
      schedule_(options_.schedule, clock.Now(), random_) {}

ParityDriver::~ParityDriver() { Stop(); }

void ParityDriver::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ParityDriver::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  posted_.NotifyAll();
  runner_.Stop();
  if (thread_.joinable()) thread_.join();
}

void ParityDriver::CheckSoon(v1::ParityTrigger trigger) {
  MutexLock lock(mutex_);
  schedule_.CheckSoon(trigger);
}

void ParityDriver::NoteSession(const v1::Session& session) {
  const bool through = session.outcome() == v1::SYNC_OUTCOME_SUCCEEDED ||
                       session.outcome() == v1::SYNC_OUTCOME_PARTIAL;
  if (!through) return;
  {
    MutexLock lock(mutex_);
    schedule_.Synchronised();
    synchronised_ = true;
  }
  posted_.NotifyAll();
}

void ParityDriver::Wanted(absl::Time at) {
  {
    MutexLock lock(mutex_);
    schedule_.Wanted(at);
  }
  posted_.NotifyAll();
}

std::optional<ParityDriver::Work> ParityDriver::Next() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    Work work;
    work.synchronised = std::exchange(synchronised_, false);
    work.check = schedule_.Take(clock_.Now());
    if (work.synchronised || work.check.has_value()) return work;
    const absl::Duration left = schedule_.next_due() - clock_.Now();
    if (left == absl::InfiniteDuration()) {
      posted_.Wait(mutex_);
    } else if (left > absl::ZeroDuration()) {
      posted_.WaitFor(mutex_, left);
    }
  }
  return std::nullopt;
}

void ParityDriver::Run() {
  while (const std::optional<Work> work = Next()) {
    if (work->synchronised && options_.after_sync) options_.after_sync();
    if (work->check.has_value()) Check(*work->check);
  }
}

void ParityDriver::Check(const ParitySchedule::Due& due) {
  ParityCheck::Options options;
  options.thorough = options_.verify_content;
  options.trigger = due.trigger;
  options.wanted_at = due.wanted_at;
  const auto responses = runner_.Check(options);
  const std::string trigger = v1::ParityTrigger_Name(due.trigger);
  if (responses.ok()) {
    const v1::CheckSummary& summary = responses->back().summary();
    log_.Info("parity_checked", {{"trigger", trigger},
                                 {"upstream", summary.upstream_name()},
                                 {"findings", summary.findings()},
                                 {"standing", summary.findings_standing()},
                                 {"wire_bytes", summary.wire_bytes()}});
  } else {
    log_.Warn("parity_check_failed", {{"trigger", trigger},
                                      {"reason", ReasonName(ReasonOf(responses.status()))},
                                      {"message", std::string(responses.status().message())}});
  }
  MutexLock lock(mutex_);
  schedule_.Ended(responses.ok(), clock_.Now());
}

}  // namespace sluice
