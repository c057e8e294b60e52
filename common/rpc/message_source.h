// Message source: what a stream still has to say, as something that is pulled.
//
// The transport asks for the next message when the one before has left, so a slow reader is its own
// back-pressure, and a stream that waits costs no thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/message_lite.h"

namespace sluice {

// One message on its way out, serialized. `tail`, if any, follows `head` on the wire without being
// copied; it is shared with whoever holds the bytes, and the head ends with the tag and the length
// of the field whose value the tail is.
struct OutMessage {
  std::string head;
  std::shared_ptr<const std::string> tail;
};

// What a source says when it is asked.
struct Pull {
  enum class Kind { kMessage, kWait, kEnd };

  static Pull Message(OutMessage message) {
    return Pull{Kind::kMessage, std::move(message), absl::InfiniteFuture(), absl::OkStatus()};
  }
  static Pull Message(const google::protobuf::MessageLite& message) {
    return Message(OutMessage{message.SerializeAsString(), nullptr});
  }
  // Nothing now. Asked again when the source's waker is called, or at `wake_at`.
  static Pull Wait(absl::Time wake_at = absl::InfiniteFuture()) {
    return Pull{Kind::kWait, OutMessage(), wake_at, absl::OkStatus()};
  }
  // Nothing more, ever.
  static Pull End(absl::Status status = absl::OkStatus()) {
    return Pull{Kind::kEnd, OutMessage(), absl::InfiniteFuture(), std::move(status)};
  }

  Kind kind = Kind::kEnd;
  OutMessage message;                           // With kMessage.
  absl::Time wake_at = absl::InfiniteFuture();  // With kWait.
  absl::Status status;                          // With kEnd.
};

// Makes the transport ask again. May be called from any thread, at any time, holding any lock, also
// after the stream has ended.
using Waker = std::function<void()>;

// Destroyed when the stream has ended, for whatever reason: that is how a source learns of it.
class MessageSource {
 public:
  virtual ~MessageSource() = default;

  // Never called by two threads at once. May block briefly (disk).
  virtual Pull Next() = 0;

  // Called once, before the first `Next`. A source that never waits, or only for a time, ignores
  // it.
  virtual void OnWake(Waker /*waker*/) {}
};

}  // namespace sluice
