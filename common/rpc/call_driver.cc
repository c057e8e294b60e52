#include "common/rpc/call_driver.h"

#include <utility>

#include "absl/time/clock.h"

namespace sluice {

CallDriver::CallDriver(CallTransport& transport, WorkerPool& pool, Options options)
    : transport_(transport), pool_(pool), options_(std::move(options)) {}

void CallDriver::Start(std::unique_ptr<MessageExchange> exchange) {
  exchange_ = std::move(exchange);
  exchange_->OnWake([weak = weak_from_this()] {
    if (const std::shared_ptr<CallDriver> self = weak.lock()) self->Wake();
  });
  {
    MutexLock lock(mutex_);
    reading_ = true;
    ++transport_calls_;
    if (options_.deadline != absl::InfiniteFuture()) {
      deadline_timer_ = CallAt(options_.deadline, &CallDriver::OnDeadline);
    }
  }
  transport_.Read();
  LeaveTransport();
}

void CallDriver::OnRead(std::string message) {
  if (options_.observer != nullptr) options_.observer->OnMessageIn(options_.method);
  MutexLock lock(mutex_);
  reading_ = false;
  got_message_ = true;
  message_ = std::move(message);
  if (!writing_) Schedule();
}

void CallDriver::OnReadEnd() {
  MutexLock lock(mutex_);
  reading_ = false;
  input_ended_ = true;
  if (options_.end_grace > absl::ZeroDuration()) {
    end_timer_ = CallAt(absl::Now() + options_.end_grace, &CallDriver::EndInput);
    return;
  }
  end_due_ = true;
  if (!writing_) Schedule();
}

void CallDriver::EndInput() {
  MutexLock lock(mutex_);
  end_due_ = true;
  if (!writing_) Schedule();
}

void CallDriver::OnWritten(bool ok) {
  if (!ok) End(absl::CancelledError("the caller is gone"));
  MutexLock lock(mutex_);
  writing_ = false;
  Schedule();
}

void CallDriver::OnCancelled() { End(absl::CancelledError("the caller is gone")); }

void CallDriver::OnDeadline() { End(absl::DeadlineExceededError("the call took too long")); }

void CallDriver::End(absl::Status status) { EndWith(std::move(status), std::nullopt); }

void CallDriver::Close(absl::Status status) {
  MutexLock lock(mutex_);
  if (closing_.has_value()) return;
  closing_ = std::move(status);
  if (!writing_) Schedule();
}

void CallDriver::Run() {
  while (Enter()) {
    if (absl::Status fed = Feed(); !fed.ok()) {
      End(std::move(fed));
      continue;
    }
    Pull pull = exchange_->Next();
    switch (pull.kind) {
      case Pull::Kind::kEnd:
        End(std::move(pull.status));
        break;
      case Pull::Kind::kMessage:
        if (Write(std::move(pull.message))) return;
        break;
      case Pull::Kind::kWait:
        if (Rest(pull.wake_at)) return;
        break;
    }
  }
}

bool CallDriver::Enter() {
  {
    MutexLock lock(mutex_);
    StopTimer(wake_timer_);
    woken_ = false;
    if (!HasEnded()) return true;
    // Whoever tells the transport the end schedules one more run.
    if (!told_) {
      running_ = false;
      return false;
    }
  }
  Release();
  return false;
}

absl::Status CallDriver::Feed() {
  std::optional<std::string> message;
  {
    MutexLock lock(mutex_);
    if (!HasInput()) return absl::OkStatus();
    message.swap(message_);
    if (!message.has_value()) end_told_ = true;
  }
  return message.has_value() ? exchange_->OnMessage(*message) : exchange_->OnHalfClose();
}

bool CallDriver::Write(OutMessage message) {
  if (options_.single_answer) {
    EndWith(absl::OkStatus(), std::move(message));
    return false;
  }
  std::optional<absl::Status> closed;
  {
    MutexLock lock(mutex_);
    if (HasEnded()) return false;
    if (closing_.has_value() && std::exchange(said_last_, true)) {
      closed = closing_;
    } else {
      running_ = false;
      writing_ = true;
      headers_sent_ = true;
      write_began_ = absl::Now();
      if (stall_timer_ == WorkerPool::kNoTimer &&
          options_.stalled_write_timeout != absl::InfiniteDuration()) {
        stall_timer_ =
            CallAt(write_began_ + options_.stalled_write_timeout, &CallDriver::CheckStall);
      }
      ++transport_calls_;
    }
  }
  if (closed.has_value()) {
    End(*std::move(closed));
    return false;
  }
  if (options_.observer != nullptr) options_.observer->OnMessageOut(options_.method);
  transport_.Write(std::move(message));
  LeaveTransport();
  return true;
}

bool CallDriver::Rest(absl::Time wake_at) {
  bool read = false;
  bool send_headers = false;
  std::optional<absl::Status> closed;
  {
    MutexLock lock(mutex_);
    if (HasEnded() || woken_ || HasInput()) return false;
    if (closing_.has_value()) {
      closed = closing_;
    } else {
      if (wake_at != absl::InfiniteFuture()) wake_timer_ = CallAt(wake_at, &CallDriver::Wake);
      read = !reading_ && !input_ended_;
      if (read) reading_ = true;
      send_headers = got_message_ && !options_.single_answer && !headers_sent_;
      if (send_headers) headers_sent_ = true;
      running_ = false;
      ++transport_calls_;
    }
  }
  if (closed.has_value()) {
    End(*std::move(closed));
    return false;
  }
  if (send_headers) transport_.SendHeaders();
  if (read) transport_.Read();
  LeaveTransport();
  return true;
}

void CallDriver::Wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  if (!writing_) Schedule();
}

void CallDriver::CheckStall() {
  {
    MutexLock lock(mutex_);
    stall_timer_ = WorkerPool::kNoTimer;
    if (HasEnded() || !writing_) return;
    const absl::Time due = write_began_ + options_.stalled_write_timeout;
    if (absl::Now() < due) {
      stall_timer_ = CallAt(due, &CallDriver::CheckStall);
      return;
    }
    ++transport_calls_;
  }
  transport_.Abort();
  LeaveTransport();
}

void CallDriver::LeaveTransport() {
  {
    MutexLock lock(mutex_);
    if (--transport_calls_ > 0 || !HasEnded() || finished_) return;
    finished_ = true;
  }
  Finish();
}

void CallDriver::EndWith(absl::Status status, std::optional<OutMessage> last) {
  {
    MutexLock lock(mutex_);
    if (HasEnded()) return;
    end_ = std::move(status);
    last_ = std::move(last);
    if (transport_calls_ > 0) return;
    finished_ = true;
  }
  Finish();
}

void CallDriver::Finish() {
  std::optional<OutMessage> last;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    status = *end_;
    last.swap(last_);
    StopTimer(wake_timer_);
    StopTimer(stall_timer_);
    StopTimer(end_timer_);
    StopTimer(deadline_timer_);
  }
  options_.stop.request_stop();
  if (last.has_value() && options_.observer != nullptr) {
    options_.observer->OnMessageOut(options_.method);
  }
  if (options_.on_finished) options_.on_finished(status);
  if (last.has_value()) {
    transport_.WriteAndFinish(*std::move(last));
  } else {
    transport_.Finish(status);
  }
  MutexLock lock(mutex_);
  told_ = true;
  Schedule();
}

void CallDriver::Release() {
  if (exchange_ == nullptr) return;
  exchange_ = nullptr;
  if (options_.on_released) options_.on_released();
}

void CallDriver::Schedule() {
  if (running_) return;
  running_ = true;
  pool_.Submit([self = shared_from_this()] { self->Run(); });
}

void CallDriver::StopTimer(WorkerPool::TimerId& timer) {
  if (timer != WorkerPool::kNoTimer) pool_.Cancel(timer);
  timer = WorkerPool::kNoTimer;
}

WorkerPool::TimerId CallDriver::CallAt(absl::Time due, void (CallDriver::*action)()) {
  return pool_.SubmitAt(due, [weak = weak_from_this(), action] {
    if (const std::shared_ptr<CallDriver> self = weak.lock()) ((*self).*action)();
  });
}

}  // namespace sluice
