// Upstream choice: which of several upstreams is followed now, and when one before it is looked at
// again. Pure: time and randomness are handed in.
//
// They stand in order of preference. The next one is followed when the present one cannot be used:
// after two failed attempts in a row, after 30 s without connection, or at once when trying again
// cannot help, as with an upstream that is below this node. Those before it are asked about once a
// minute whether they can be followed, and the first that says so twice in a row is followed again.
// A preferred one that does not hold after that has to say so twice as often each time, so that a
// node does not go to and fro.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sluice/v1/sync_service.pb.h"

namespace sluice {

class UpstreamChoice {
 public:
  struct Options {
    int failures_max = 2;  // In a row.
    absl::Duration broken_max = absl::Seconds(30);
    bool watch = true;  // A node that does not watch is not broken between two attempts.
    absl::Duration probe_interval = absl::Minutes(1);  // Less a random part of up to a quarter.
    int answers_needed = 2;                            // In a row.
    int answers_needed_max = 32;
    // Who was followed for so long after a return holds.
    absl::Duration holds_after = absl::Minutes(10);
    // One that refused is passed over for so long.
    absl::Duration refusal_holds = absl::Minutes(10);
  };

  // What comes of an event.
  enum class Verdict {
    kStay,
    kSwitch,       // `current()` is another one now; begin at once.
    kSwitchLater,  // The same, but all have failed since one could be used: take time as before.
  };

  // Begins with the first of `count`, which is at least 1.
  UpstreamChoice(size_t count, Options options, absl::BitGenRef random);

  size_t current() const { return current_; }
  bool failed_over() const { return current_ != 0; }
  // Since when another one than the first is followed; the past when the first is.
  absl::Time failed_over_since() const { return failed_over_since_; }

  // What a session with the present one says: that it failed, or that it has all of the catalog.
  // Failures that are not the upstream's, as of this node's own store, say nothing.
  Verdict Saw(const v1::Session& session, absl::Time now);

  // A session with the present one failed.
  Verdict Failed(const absl::Status& why, absl::Time now);
  // A session with it got through, or its open stream says something.
  void Succeeded(absl::Time now);
  // The open stream broke.
  void Broke(absl::Time now);
  // What is due by the clock: no connection for too long.
  Verdict Tick(absl::Time now);

  // The upstreams that are to be asked now; they count as asked.
  std::vector<size_t> TakeProbes(absl::Time now);
  Verdict ProbeAnswered(size_t upstream, const absl::Status& answer, absl::Time now);

  // When `Tick` or `TakeProbes` has something to do.
  absl::Time next_due() const;

 private:
  struct Candidate {
    int answers = 0;  // To probes, in a row.
    int answers_needed = 0;
    absl::Time refused_until = absl::InfinitePast();
  };

  Verdict Advance(absl::Time now);
  void Follow(size_t upstream, absl::Time now);
  absl::Duration ProbeInterval() const;

  const Options options_;
  const absl::BitGenRef random_;
  std::vector<Candidate> candidates_;
  size_t current_ = 0;
  absl::Time failed_over_since_ = absl::InfinitePast();
  int failures_ = 0;                                  // In a row, of the present one.
  size_t tried_ = 0;                                  // Since one could be used.
  absl::Time broken_since_ = absl::InfiniteFuture();  // Not broken.
  absl::Time returned_at_ = absl::InfinitePast();     // To the present one, by a probe.
  absl::Time probe_at_ = absl::InfiniteFuture();
};

}  // namespace sluice
