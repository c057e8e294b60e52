// Message exchange: the server's half of one call of any kind, in bytes.
//
// The transport gives each message to `OnMessage`, then pulls with `Next` until that waits, and
// only then reads on; so whoever asks faster than it reads the answers is slowed down.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/rpc/message_source.h"

namespace sluice {

// Destroyed when the call has ended, for whatever reason. Nothing is called by two threads at once;
// all may block briefly. A failure ends the call with it.
class MessageExchange {
 public:
  virtual ~MessageExchange() = default;

  virtual absl::Status OnMessage(absl::string_view bytes) = 0;

  // The caller has nothing more to say.
  virtual absl::Status OnHalfClose() = 0;

  virtual Pull Next() = 0;
  virtual void OnWake(Waker /*waker*/) {}
};

}  // namespace sluice
