#include "storage/shard_steps.h"

#include <utility>

namespace sluice {

void ShardSteps::Note(uint64_t from, uint64_t to, std::vector<ShardStep> steps) {
  MutexLock lock(mutex_);
  if (from != to_) {
    entries_.clear();
    steps_ = 0;
    from_ = from;
  }
  to_ = to;
  if (steps.empty()) return;
  steps_ += steps.size();
  entries_.push_back({to, std::move(steps)});
  while (entries_.size() > 1 && steps_ > steps_max_) {
    from_ = entries_.front().to;
    steps_ -= entries_.front().steps.size();
    entries_.pop_front();
  }
}

std::optional<std::vector<ShardStep>> ShardSteps::Between(uint64_t from, uint64_t to) const {
  MutexLock lock(mutex_);
  if (from < from_ || to > to_ || from > to) return std::nullopt;
  std::vector<ShardStep> steps;
  for (const Entry& entry : entries_) {
    if (entry.to <= from) continue;
    if (entry.to > to) break;
    steps.insert(steps.end(), entry.steps.begin(), entry.steps.end());
  }
  return steps;
}

}  // namespace sluice
