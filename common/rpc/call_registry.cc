#include "common/rpc/call_registry.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace sluice {

absl::StatusOr<CallRegistry::CallId> CallRegistry::Admit(const std::string& peer) {
  MutexLock lock(mutex_);
  if (!closed_.ok()) return closed_;
  if (!peer.empty()) {
    int& count = by_peer_[peer];
    if (count >= calls_per_peer_max_) {
      constexpr absl::Duration kRetryDelay = absl::Seconds(1);
      return WithRetryDelay(
          MakeError(v1::REASON_UPSTREAM_BUSY,
                    absl::StrCat("at most ", calls_per_peer_max_,
                                 " calls of one connection are served at a time")),
          kRetryDelay);
    }
    ++count;
  }
  const CallId id = ++last_id_;
  calls_[id].peer = peer;
  return id;
}

void CallRegistry::Attach(CallId id, std::weak_ptr<CallDriver> driver) {
  absl::Status closed;
  {
    MutexLock lock(mutex_);
    closed = closed_;
    const auto call = calls_.find(id);
    if (call != calls_.end()) call->second.driver = driver;
  }
  if (closed.ok()) return;
  // It was admitted just before the close, which did not see its driver.
  if (const std::shared_ptr<CallDriver> late = driver.lock()) late->Close(closed);
}

void CallRegistry::Release(CallId id) {
  MutexLock lock(mutex_);
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  const auto count = by_peer_.find(call->second.peer);
  if (count != by_peer_.end() && --count->second == 0) by_peer_.erase(count);
  calls_.erase(call);
  changed_.NotifyAll();
}

void CallRegistry::Close(const absl::Status& status) {
  std::vector<std::weak_ptr<CallDriver>> drivers;
  {
    MutexLock lock(mutex_);
    closed_ = status;
    for (const auto& [id, call] : calls_) drivers.push_back(call.driver);
  }
  for (const std::weak_ptr<CallDriver>& driver : drivers) {
    if (const std::shared_ptr<CallDriver> running = driver.lock()) running->Close(status);
  }
}

void CallRegistry::WaitUntilEmpty() {
  MutexLock lock(mutex_);
  while (!calls_.empty()) changed_.Wait(mutex_);
}

}  // namespace sluice
