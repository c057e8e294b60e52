#include "upstream/shared_messages.h"

#include <algorithm>

namespace sluice {
namespace {

bool IsFor(const SharedMessage& message, const Uuid& child) {
  return std::find(message.not_for.begin(), message.not_for.end(), child.view()) ==
         message.not_for.end();
}

}  // namespace

SharedMessage SharedMessages::Find(const StreamPlace& place, const Uuid& child) const {
  MutexLock lock(mutex_);
  for (const auto& [kept_for, message] : messages_) {
    if (kept_for == place && IsFor(message, child)) return message;
  }
  return SharedMessage();
}

void SharedMessages::Keep(const StreamPlace& place, const Uuid& child, SharedMessage message) {
  if (!IsFor(message, child)) return;
  MutexLock lock(mutex_);
  bytes_ += message.bytes->size();
  messages_.emplace_front(place, std::move(message));
  while (bytes_ > bytes_max_ && messages_.size() > 1) {
    bytes_ -= messages_.back().second.bytes->size();
    messages_.pop_back();
  }
}

}  // namespace sluice
