// Call driver: leads one call from its first message to its end, between a transport and an
// exchange.
//
// The exchange runs on the worker pool and by one thread at a time; whatever happens meanwhile
// (a message, room to write, a wake, the end) is noted and looked at when its turn comes. A call
// that waits holds no thread. The end does not wait for a handler that is running.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/rpc/call_observer.h"
#include "common/rpc/message_exchange.h"
#include "common/rpc/message_source.h"
#include "common/worker_pool.h"

namespace sluice {

// What a driver asks of a transport. Called without any lock; nothing is called after Finish or
// WriteAndFinish, which are called exactly once and while no other call is under way.
class CallTransport {
 public:
  virtual ~CallTransport() = default;

  virtual void Read() = 0;
  virtual void Write(OutMessage message) = 0;
  virtual void WriteAndFinish(OutMessage message) = 0;
  virtual void Finish(const absl::Status& status) = 0;
  // Tells the caller that the stream is up, before there is anything to say.
  virtual void SendHeaders() = 0;
  // Breaks off a call whose caller takes nothing; `OnCancelled` follows.
  virtual void Abort() = 0;
};

class CallDriver : public std::enable_shared_from_this<CallDriver> {
 public:
  struct Options {
    bool single_answer = false;  // The first message is also the last one.
    absl::Time deadline = absl::InfiniteFuture();
    absl::Duration stalled_write_timeout = absl::InfiniteDuration();
    // How long to wait, after the caller's last message, for the news that it is gone. gRPC reports
    // the end of an upload and the loss of its caller alike, and the loss only then.
    absl::Duration end_grace = absl::ZeroDuration();
    std::stop_source stop;  // Requested when the call ends.
    // Told of this call's messages, as being of `method`. May be null.
    CallObserver* observer = nullptr;
    const Method* method = nullptr;
    // Called once, just before the transport is told to finish.
    std::function<void(const absl::Status&)> on_finished;
    // Called once, when the exchange is destroyed: nothing of the call runs any more.
    std::function<void()> on_released;
  };

  CallDriver(CallTransport& transport, WorkerPool& pool, Options options);

  // Begins. `exchange` is destroyed on the pool after the end.
  void Start(std::unique_ptr<MessageExchange> exchange);

  // What the transport reports; from any thread, also inside of what the driver calls.
  void OnRead(std::string message);
  void OnReadEnd();  // The caller has nothing more to say, or is gone.
  void OnWritten(bool ok);
  void OnCancelled();

  // Ends the call with `status` unless it has ended.
  void End(absl::Status status);

  // Ends the call with `status` soon: an answer that is under way may leave, a stream may say one
  // thing more, and who waits is asked once more.
  void Close(absl::Status status);

 private:
  // For the one thread that is inside; it leaves by finishing, by writing or by waiting.
  void Run();
  // Whether `Run` may go on; if not, it has left.
  bool Enter();
  absl::Status Feed();
  // These two leave `Run` when they return true; false: something has happened meanwhile, go on.
  bool Write(OutMessage message);
  bool Rest(absl::Time wake_at);

  void EndInput();
  void Wake();
  void CheckStall();
  // Every call of the transport is counted before and followed by this; an end waits for the last.
  void LeaveTransport();
  void EndWith(absl::Status status, std::optional<OutMessage> last);
  void Finish();
  void Release();

  bool HasEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return end_.has_value(); }
  bool HasInput() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return message_.has_value() || (end_due_ && !end_told_);
  }
  // Has the pool call `Run`, unless it runs.
  void Schedule() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopTimer(WorkerPool::TimerId& timer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Calls `action` of this driver at `due`, if it still exists.
  WorkerPool::TimerId CallAt(absl::Time due, void (CallDriver::*action)());
  void OnDeadline();

  CallTransport& transport_;
  WorkerPool& pool_;
  Options options_;
  std::unique_ptr<MessageExchange> exchange_;  // Of whoever runs.

  Mutex mutex_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool headers_sent_ ABSL_GUARDED_BY(mutex_) = false;
  bool got_message_ ABSL_GUARDED_BY(mutex_) = false;
  bool input_ended_ ABSL_GUARDED_BY(mutex_) = false;  // OnReadEnd has come...
  bool end_due_ ABSL_GUARDED_BY(mutex_) = false;      // ...the grace is over...
  bool end_told_ ABSL_GUARDED_BY(mutex_) = false;     // ...and the exchange knows.
  std::optional<std::string> message_ ABSL_GUARDED_BY(mutex_);
  int transport_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<absl::Status> closing_ ABSL_GUARDED_BY(mutex_);
  bool said_last_ ABSL_GUARDED_BY(mutex_) = false;  // While closing.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::optional<OutMessage> last_ ABSL_GUARDED_BY(mutex_);  // To be sent with the end.
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;           // The transport is being told...
  bool told_ ABSL_GUARDED_BY(mutex_) = false;               // ...and was.
  absl::Time write_began_ ABSL_GUARDED_BY(mutex_);
  WorkerPool::TimerId wake_timer_ ABSL_GUARDED_BY(mutex_) = WorkerPool::kNoTimer;
  WorkerPool::TimerId stall_timer_ ABSL_GUARDED_BY(mutex_) = WorkerPool::kNoTimer;
  WorkerPool::TimerId end_timer_ ABSL_GUARDED_BY(mutex_) = WorkerPool::kNoTimer;
  WorkerPool::TimerId deadline_timer_ ABSL_GUARDED_BY(mutex_) = WorkerPool::kNoTimer;
};

}  // namespace sluice
