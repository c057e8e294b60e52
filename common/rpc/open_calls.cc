#include "common/rpc/open_calls.h"

namespace sluice {

OpenCalls::Verdict OpenCalls::Begin(const std::string& peer) {
  MutexLock lock(mutex_);
  const int open = ++by_connection_[peer];
  if (open <= per_connection_max_) return Verdict::kServe;
  return open == per_connection_max_ + 1 ? Verdict::kCut : Verdict::kRefuse;
}

void OpenCalls::End(const std::string& peer) {
  MutexLock lock(mutex_);
  const auto open = by_connection_.find(peer);
  if (open != by_connection_.end() && --open->second == 0) by_connection_.erase(open);
}

}  // namespace sluice
