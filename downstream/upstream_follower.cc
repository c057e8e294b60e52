#include "downstream/upstream_follower.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/upstream_check.h"

namespace sluice {
namespace {

constexpr absl::Duration kProbeTimeout = absl::Seconds(10);
constexpr absl::string_view kHello = "sluice.v1.ReplicationService/Hello";

}  // namespace

UpstreamFollower::UpstreamFollower(std::vector<UpstreamPlace> places, Options options,
                                   ContentStore& content, const Uuid& self, absl::BitGenRef random)
    : options_(std::move(options)),
      content_(content),
      self_(self),
      random_(random),
      places_(std::move(places)),
      choice_(std::make_unique<UpstreamChoice>(places_.size(), options_.choice, random_)),
      prober_(std::make_unique<WorkerPool>(1)) {
  Use(*places_.front().channel);
  MutexLock lock(mutex_);
  state_.places = places_;
}

void UpstreamFollower::Stop() {
  stop_.request_stop();
  prober_.reset();
  all_calls_.clear();
}

void UpstreamFollower::Use(Channel& channel) {
  if (calls_ != nullptr) calls_->CloseStreams();
  std::unique_ptr<UpstreamCalls>& calls = all_calls_[&channel];
  if (calls == nullptr) {
    calls = std::make_unique<UpstreamCalls>(channel, content_, options_.calls, options_.post);
  }
  calls_ = calls.get();
}

std::optional<UpstreamSwitched> UpstreamFollower::Replace(std::vector<UpstreamPlace> places,
                                                          absl::Time now) {
  const Channel* const before = places_[choice_->current()].channel;
  places_ = std::move(places);
  choice_ = std::make_unique<UpstreamChoice>(places_.size(), options_.choice, random_);
  {
    MutexLock lock(mutex_);
    state_ = State();
    state_.places = places_;
  }
  if (places_.front().channel == before) {
    if (watching_) choice_->Succeeded(now);
    return std::nullopt;
  }
  Use(*places_.front().channel);
  watching_ = false;
  return UpstreamSwitched{places_.front().target, "an operator said so", /*at_once=*/true};
}

std::string UpstreamFollower::CannotBeUsed(absl::string_view why) const {
  return absl::StrCat(places_[state().current].target, " cannot be used: ", why);
}

std::optional<UpstreamSwitched> UpstreamFollower::Saw(const v1::Session& session, absl::Time now) {
  if (session.peer() != places_[choice_->current()].target) return std::nullopt;
  const UpstreamChoice::Verdict verdict = choice_->Saw(session, now);
  if (verdict == UpstreamChoice::Verdict::kStay) return std::nullopt;
  return Act(verdict, CannotBeUsed(session.errors(0).message()));
}

void UpstreamFollower::SawStream(bool watching, bool session_running, absl::Time now) {
  if (watching) choice_->Succeeded(now);
  if (watching_ && !watching && !session_running) choice_->Broke(now);
  watching_ = watching;
}

std::optional<UpstreamSwitched> UpstreamFollower::Tick(absl::Time now) {
  const UpstreamChoice::Verdict verdict = choice_->Tick(now);
  if (verdict != UpstreamChoice::Verdict::kStay) {
    return Act(verdict, CannotBeUsed("there was no connection for too long"));
  }
  for (const size_t upstream : choice_->TakeProbes(now)) Probe(upstream);
  return std::nullopt;
}

void UpstreamFollower::Probe(size_t upstream) {
  prober_->Submit([this, place = places_[upstream]] {
    ProbeAnswered answered{place.target, absl::OkStatus()};
    const absl::StatusOr<v1::HelloRequest> hello = options_.hello();
    answered.status = hello.status();
    if (hello.ok()) {
      const auto answer = place.channel->Unary<v1::HelloRequest, v1::HelloResponse>(
          kHello, *hello, {.deadline = absl::Now() + kProbeTimeout, .stop = stop_.get_token()});
      answered.status = answer.ok() ? CheckUpstream(*answer, self_) : answer.status();
    }
    options_.on_probe(std::move(answered));
  });
}

std::optional<UpstreamSwitched> UpstreamFollower::On(const ProbeAnswered& answer, absl::Time now) {
  {
    MutexLock lock(mutex_);
    state_.probes[answer.target] = answer.status;
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].target != answer.target) continue;
    return Act(choice_->ProbeAnswered(i, answer.status, now),
               absl::StrCat(answer.target, " answers again"));
  }
  return std::nullopt;
}

std::optional<UpstreamSwitched> UpstreamFollower::Act(UpstreamChoice::Verdict verdict,
                                                      const std::string& why) {
  if (verdict == UpstreamChoice::Verdict::kStay) return std::nullopt;
  const UpstreamPlace& place = places_[choice_->current()];
  Use(*place.channel);
  watching_ = false;
  {
    MutexLock lock(mutex_);
    state_.current = choice_->current();
    state_.failed_over_since = choice_->failed_over_since();
    state_.failed_over_why = choice_->failed_over() ? why : "";
  }
  return UpstreamSwitched{place.target, why, verdict == UpstreamChoice::Verdict::kSwitch};
}

Channel& UpstreamFollower::followed() const {
  MutexLock lock(mutex_);
  return *state_.places[state_.current].channel;
}

UpstreamFollower::State UpstreamFollower::state() const {
  MutexLock lock(mutex_);
  return state_;
}

}  // namespace sluice
