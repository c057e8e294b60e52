// Report board: what nodes below are to be told in the answer to their next report, and which of
// them should report at once to hear it.
//
// It is in memory alone: a node that was told nothing, because this process ended, asks again by
// itself (petitions), or was not needed any more (a check whose caller is gone).
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/uuid.h"

namespace sluice {

class ReportBoard {
 public:
  // All nodes below should compare themselves with their upstreams, unless they did after `at`.
  void WantParity(absl::Time at);
  // The newest wish; InfinitePast: none.
  absl::Time parity_wanted_at() const;

  // This node below has an answer to hear.
  void Call(const Uuid& child);

  // How often the child was called so far. A stream that finds more than when it began tells it.
  uint64_t CallsOf(const Uuid& child) const;

  // The child hears now all that there is.
  void Told(const Uuid& child);
  // Whether the child was called since it last heard.
  bool HasNewsFor(const Uuid& child) const;

  // Calls `wake` whenever somebody is called, from the calling thread; it must not block. `Unwatch`
  // waits for a call under way.
  int64_t Watch(std::function<void()> wake);
  void Unwatch(int64_t handle);

 private:
  void Wake();

  mutable Mutex mutex_;
  absl::Time parity_wanted_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  uint64_t calls_of_all_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Uuid, uint64_t> calls_ ABSL_GUARDED_BY(mutex_);
  std::map<Uuid, uint64_t> told_ ABSL_GUARDED_BY(mutex_);  // The calls that the child knows of.
  Mutex watch_mutex_;
  int64_t next_watch_ ABSL_GUARDED_BY(watch_mutex_) = 1;
  std::map<int64_t, std::function<void()>> watches_ ABSL_GUARDED_BY(watch_mutex_);
};

}  // namespace sluice
