#include "downstream/upstream_choice.h"

#include <algorithm>

#include "absl/random/distributions.h"
#include "common/errors.h"
#include "common/status.h"

namespace sluice {
namespace {

// Reasons up to this one are about the way to the upstream, or its word.
constexpr v1::Reason kLastReasonOfUpstreams = v1::REASON_DUPLICATE_NODE;

}  // namespace

UpstreamChoice::UpstreamChoice(size_t count, Options options, absl::BitGenRef random)
    : options_(options), random_(random), candidates_(count) {
  for (Candidate& candidate : candidates_) candidate.answers_needed = options_.answers_needed;
}

UpstreamChoice::Verdict UpstreamChoice::Saw(const v1::Session& session, absl::Time now) {
  if (session.outcome() == v1::SYNC_OUTCOME_FAILED) {
    const v1::Reason reason = ReasonFromName(session.errors(0).reason());
    if (reason > kLastReasonOfUpstreams) return Verdict::kStay;
    const absl::Status why = reason == v1::REASON_UNSPECIFIED
                                 ? absl::UnavailableError(session.errors(0).message())
                                 : MakeError(reason, session.errors(0).message());
    return Failed(why, now);
  }
  const bool has_catalog = session.outcome() == v1::SYNC_OUTCOME_SUCCEEDED ||
                           session.outcome() == v1::SYNC_OUTCOME_PARTIAL ||
                           session.phase() >= v1::SYNC_PHASE_CONTENT;
  if (has_catalog && session.outcome() != v1::SYNC_OUTCOME_CANCELLED) Succeeded(now);
  return Verdict::kStay;
}

UpstreamChoice::Verdict UpstreamChoice::Failed(const absl::Status& why, absl::Time now) {
  ++failures_;
  if (options_.watch) broken_since_ = std::min(broken_since_, now);
  const bool refused = !IsRetryable(why);
  if (refused) candidates_[current_].refused_until = now + options_.refusal_holds;
  const bool too_long =
      broken_since_ != absl::InfiniteFuture() && now - broken_since_ >= options_.broken_max;
  if (!refused && !too_long && failures_ < options_.failures_max) return Verdict::kStay;
  return Advance(now);
}

void UpstreamChoice::Succeeded(absl::Time now) {
  failures_ = 0;
  tried_ = 0;
  broken_since_ = absl::InfiniteFuture();
  if (now - returned_at_ >= options_.holds_after) {
    candidates_[current_].answers_needed = options_.answers_needed;
  }
}

void UpstreamChoice::Broke(absl::Time now) { broken_since_ = std::min(broken_since_, now); }

UpstreamChoice::Verdict UpstreamChoice::Tick(absl::Time now) {
  const bool too_long = candidates_.size() > 1 && broken_since_ != absl::InfiniteFuture() &&
                        now - broken_since_ >= options_.broken_max;
  return too_long ? Advance(now) : Verdict::kStay;
}

// To the next one that did not refuse lately; to the next one if all did.
UpstreamChoice::Verdict UpstreamChoice::Advance(absl::Time now) {
  const size_t count = candidates_.size();
  failures_ = 0;
  broken_since_ = absl::InfiniteFuture();
  if (count == 1) return Verdict::kStay;
  Candidate& left = candidates_[current_];
  const bool did_not_hold =
      returned_at_ != absl::InfinitePast() && now - returned_at_ < options_.holds_after;
  if (did_not_hold) {
    left.answers_needed = std::min(left.answers_needed * 2, options_.answers_needed_max);
  }
  size_t next = (current_ + 1) % count;
  for (size_t i = 1; i < count; ++i) {
    const size_t candidate = (current_ + i) % count;
    if (candidates_[candidate].refused_until > now) continue;
    next = candidate;
    break;
  }
  returned_at_ = absl::InfinitePast();
  Follow(next, now);
  ++tried_;
  return tried_ < count ? Verdict::kSwitch : Verdict::kSwitchLater;
}

void UpstreamChoice::Follow(size_t upstream, absl::Time now) {
  if (upstream == 0) {
    failed_over_since_ = absl::InfinitePast();
  } else if (current_ == 0) {
    failed_over_since_ = now;
  }
  current_ = upstream;
  for (Candidate& candidate : candidates_) candidate.answers = 0;
  probe_at_ = upstream == 0 ? absl::InfiniteFuture() : now + ProbeInterval();
}

absl::Duration UpstreamChoice::ProbeInterval() const {
  absl::BitGenRef random = random_;
  return options_.probe_interval * (1 - absl::Uniform(random, 0.0, 0.25));
}

std::vector<size_t> UpstreamChoice::TakeProbes(absl::Time now) {
  std::vector<size_t> probes;
  if (probe_at_ > now) return probes;
  for (size_t i = 0; i < current_; ++i) probes.push_back(i);
  probe_at_ = now + ProbeInterval();
  return probes;
}

UpstreamChoice::Verdict UpstreamChoice::ProbeAnswered(size_t upstream, const absl::Status& answer,
                                                      absl::Time now) {
  if (upstream >= current_) return Verdict::kStay;
  Candidate& candidate = candidates_[upstream];
  candidate.answers = answer.ok() ? candidate.answers + 1 : 0;
  if (candidate.answers < candidate.answers_needed) return Verdict::kStay;
  failures_ = 0;
  tried_ = 0;
  broken_since_ = absl::InfiniteFuture();
  candidate.refused_until = absl::InfinitePast();
  Follow(upstream, now);
  returned_at_ = now;
  return Verdict::kSwitch;
}

absl::Time UpstreamChoice::next_due() const {
  if (candidates_.size() == 1) return absl::InfiniteFuture();
  const absl::Time given_up = broken_since_ == absl::InfiniteFuture()
                                  ? absl::InfiniteFuture()
                                  : broken_since_ + options_.broken_max;
  return std::min(given_up, probe_at_);
}

}  // namespace sluice
