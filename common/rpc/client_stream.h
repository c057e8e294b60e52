// Client stream: one open call, as its caller sees it. Free of transport, so that tests can answer.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/message.h"

namespace sluice {

// A message as it lies in the receive buffers; valid during the call that it is given to.
using MessageSlices = absl::Span<const absl::string_view>;

// Reads a message out of its slices. Errors: DATA_LOSS the bytes are no such message.
absl::Status ParseSlices(MessageSlices slices, google::protobuf::Message& message);

// For threads that may block. One thread reads, the same or another one writes.
class ClientStream {
 public:
  // Cancels the call if it has not ended, and waits for its end.
  virtual ~ClientStream() = default;

  // Sends one message. False when the call has ended; `Finish` says why.
  virtual bool Write(const google::protobuf::Message& message) = 0;

  // Says that there is nothing more to send.
  virtual void CloseWrites() = 0;

  // Waits for the next message. False when there is none any more; `Finish` says why.
  virtual bool Read(google::protobuf::Message& message) = 0;

  // As `Read`; the slices are valid until the next call.
  virtual bool ReadSlices(MessageSlices& slices) = 0;

  // Ends the call; may be called from any thread. `Finish` then answers CANCELLED.
  virtual void Cancel() = 0;

  // Drops what was not read and waits for the end. OK when the other side has ended well.
  virtual absl::Status Finish() = 0;
};

// Gets the messages of a stream as they come, on one of the transport's threads, one call at a
// time.
class StreamReceiver {
 public:
  virtual ~StreamReceiver() = default;

  // Must not block. True: the next message may come; false: it waits for `StreamHandle::ReadMore`.
  virtual bool OnMessage(MessageSlices slices) = 0;

  // The last call.
  virtual void OnDone(const absl::Status& status) = 0;
};

// Holds a subscribed stream. Destroying it cancels the stream and waits for OnDone, so it must not
// happen inside the receiver.
class StreamHandle {
 public:
  virtual ~StreamHandle() = default;

  // Lets the next message come, after OnMessage has returned false.
  virtual void ReadMore() = 0;
  virtual void Cancel() = 0;
};

}  // namespace sluice
