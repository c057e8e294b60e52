#include "upstream/report_board.h"

#include <utility>

namespace sluice {

void ReportBoard::WantParity(absl::Time at) {
  {
    MutexLock lock(mutex_);
    if (at <= parity_wanted_at_) return;
    parity_wanted_at_ = at;
    ++calls_of_all_;
  }
  Wake();
}

absl::Time ReportBoard::parity_wanted_at() const {
  MutexLock lock(mutex_);
  return parity_wanted_at_;
}

void ReportBoard::Call(const Uuid& child) {
  {
    MutexLock lock(mutex_);
    ++calls_[child];
  }
  Wake();
}

uint64_t ReportBoard::CallsOf(const Uuid& child) const {
  MutexLock lock(mutex_);
  const auto found = calls_.find(child);
  return calls_of_all_ + (found == calls_.end() ? 0 : found->second);
}

void ReportBoard::Told(const Uuid& child) {
  const uint64_t calls = CallsOf(child);
  MutexLock lock(mutex_);
  told_[child] = calls;
}

bool ReportBoard::HasNewsFor(const Uuid& child) const {
  const uint64_t calls = CallsOf(child);
  MutexLock lock(mutex_);
  const auto found = told_.find(child);
  return calls > (found == told_.end() ? 0 : found->second);
}

int64_t ReportBoard::Watch(std::function<void()> wake) {
  MutexLock lock(watch_mutex_);
  const int64_t handle = next_watch_++;
  watches_.emplace(handle, std::move(wake));
  return handle;
}

void ReportBoard::Unwatch(int64_t handle) {
  MutexLock lock(watch_mutex_);
  watches_.erase(handle);
}

void ReportBoard::Wake() {
  MutexLock lock(watch_mutex_);
  for (const auto& [handle, wake] : watches_) wake();
}

}  // namespace sluice
