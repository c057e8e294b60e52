// Upstream follower: the upstreams that a node may follow, the calls to the one that it follows,
// and probes of those that it would rather follow.
//
// It does what upstream_choice.h decides. All methods are the sync driver's thread's, but for those
// that say otherwise.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "common/uuid.h"
#include "common/worker_pool.h"
#include "downstream/engine_events.h"
#include "downstream/upstream_calls.h"
#include "downstream/upstream_choice.h"
#include "sluice/v1/sync_service.pb.h"

namespace sluice {

// One upstream in the list. The channel lives as long as the process.
struct UpstreamPlace {
  std::string target;
  bool tls = false;
  std::string set_by;  // In words.
  Channel* channel = nullptr;
};

// What came of asking an upstream that would be preferred.
struct ProbeAnswered {
  std::string target;
  absl::Status status;
};

class UpstreamFollower {
 public:
  struct Options {
    UpstreamCallOptions calls;
    UpstreamChoice::Options choice;
    // Introduces this node. Called from a thread of the follower's own.
    std::function<absl::StatusOr<v1::HelloRequest>()> hello;
    std::function<void(EngineEvent)> post;
    std::function<void(ProbeAnswered)> on_probe;
  };

  // Who is followed, for those who ask.
  struct State {
    std::vector<UpstreamPlace> places;
    size_t current = 0;
    absl::Time failed_over_since = absl::InfinitePast();
    std::string failed_over_why;
    std::map<std::string, absl::Status> probes;  // The last of each, by target.
  };

  // `places` is not empty.
  UpstreamFollower(std::vector<UpstreamPlace> places, Options options, ContentStore& content,
                   const Uuid& self, absl::BitGenRef random);
  ~UpstreamFollower() { Stop(); }
  // Breaks off all that is under way. Nothing may be asked of `calls` after that.
  void Stop();

  UpstreamCalls& calls() { return *calls_; }

  // Each of these returns a switch that the engine is to be told of, when there is one.
  std::optional<UpstreamSwitched> Replace(std::vector<UpstreamPlace> places, absl::Time now);
  // A session changed.
  std::optional<UpstreamSwitched> Saw(const v1::Session& session, absl::Time now);
  // Whether the change stream is open and at its head; else whether a session runs.
  void SawStream(bool watching, bool session_running, absl::Time now);
  std::optional<UpstreamSwitched> Tick(absl::Time now);
  std::optional<UpstreamSwitched> On(const ProbeAnswered& answer, absl::Time now);
  absl::Time next_due() const { return choice_->next_due(); }

  // From any thread.
  Channel& followed() const;
  State state() const;

 private:
  std::optional<UpstreamSwitched> Act(UpstreamChoice::Verdict verdict, const std::string& why);
  // `why` as a failure of the one that is followed.
  std::string CannotBeUsed(absl::string_view why) const;
  void Probe(size_t upstream);
  // Calls go over this channel from now on.
  void Use(Channel& channel);

  const Options options_;
  ContentStore& content_;
  const Uuid self_;
  const absl::BitGenRef random_;
  std::vector<UpstreamPlace> places_;
  std::unique_ptr<UpstreamChoice> choice_;
  bool watching_ = false;
  std::stop_source stop_;
  std::map<Channel*, std::unique_ptr<UpstreamCalls>> all_calls_;
  UpstreamCalls* calls_ = nullptr;
  std::unique_ptr<WorkerPool> prober_;

  mutable Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
