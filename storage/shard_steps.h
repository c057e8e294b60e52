// Shard steps: how the sums of shards changed in the last commits, for those who keep something
// that is made of them and do not want to read all shards anew. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "common/mutex.h"
#include "sluice/v1/record.pb.h"
#include "storage/fingerprint.h"
#include "storage/record_key.h"

namespace sluice {

// What one commit did to one shard.
struct ShardStep {
  ShardId id;
  v1::ShardDefinition definition;
  Fingerprint before;
  Fingerprint after;
};

class ShardSteps {
 public:
  // Keeps the steps of at least the last commit, and of older ones up to `steps_max` together.
  explicit ShardSteps(size_t steps_max = 65'536) : steps_max_(steps_max) {}

  // A commit has moved the head from seq `from` to seq `to`. Where `from` is not where the one
  // before it ended, what was noted so far is forgotten.
  void Note(uint64_t from, uint64_t to, std::vector<ShardStep> steps);

  // The steps of the commits after the head was at `from` until it was at `to`, oldest first; none
  // when they are not known any more, or not yet.
  std::optional<std::vector<ShardStep>> Between(uint64_t from, uint64_t to) const;

 private:
  struct Entry {
    uint64_t to = 0;
    std::vector<ShardStep> steps;
  };

  const size_t steps_max_;
  mutable Mutex mutex_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  size_t steps_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t from_ ABSL_GUARDED_BY(mutex_) = 0;  // Where the oldest entry begins.
  uint64_t to_ ABSL_GUARDED_BY(mutex_) = 0;    // Where the newest one ends.
};

}  // namespace sluice
