#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <optional>
#include <stop_token>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/mutex.h"
#include "common/rpc/byte_buffer.h"
#include "common/rpc/channel_stream.h"

namespace sluice {
namespace {

// Turns gRPC's callbacks into waits. gRPC is done with it once `Finish` has returned.
class BlockingStream : public ClientStream,
                       public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  BlockingStream(std::shared_ptr<grpc::Channel> channel, const std::string& path,
                 const CallOptions& options, Explain explain)
      : stub_(std::move(channel)),
        explain_(std::move(explain)),
        progress_timeout_(options.progress_timeout) {
    if (options.deadline != absl::InfiniteFuture()) {
      context_.set_deadline(absl::ToChronoTime(options.deadline));
    }
    context_.set_wait_for_ready(options.wait_for_ready);
    stub_.PrepareBidiStreamingCall(&context_, path, grpc::StubOptions(), this);
    AddHold();  // Until Finish: reads and writes begin outside of callbacks.
    StartCall();
    stop_.emplace(options.stop, CancelOnStop{&context_});
  }

  ~BlockingStream() override {
    Cancel();
    Finish().IgnoreError();
  }

  bool Write(const google::protobuf::Message& message) override {
    {
      MutexLock lock(mutex_);
      if (write_failed_) return false;
      write_pending_ = true;
    }
    sent_ = ToByteBuffer(OutMessage{message.SerializeAsString(), nullptr});
    StartWrite(&sent_);
    return WaitForWrite();
  }

  void CloseWrites() override {
    {
      MutexLock lock(mutex_);
      if (writes_closed_ || write_failed_) return;
      writes_closed_ = true;
      write_pending_ = true;
    }
    StartWritesDone();
    WaitForWrite();
  }

  bool Read(google::protobuf::Message& message) override {
    MessageSlices slices;
    if (!ReadSlices(slices)) return false;
    const absl::Status parsed = ParseSlices(slices, message);
    if (parsed.ok()) return true;
    SetFault(parsed);
    Cancel();
    return false;
  }

  bool ReadSlices(MessageSlices& slices) override {
    {
      MutexLock lock(mutex_);
      if (reads_ended_) return false;
      read_pending_ = true;
    }
    StartRead(&received_);
    if (!WaitForRead()) return false;
    slices = message_.Take(received_);
    return true;
  }

  void Cancel() override { context_.TryCancel(); }

  absl::Status Finish() override {
    if (outcome_.has_value()) return *outcome_;
    MessageSlices dropped;
    while (ReadSlices(dropped)) {
    }
    RemoveHold();
    stop_.reset();
    absl::Status fault;
    {
      MutexLock lock(mutex_);
      while (!done_.has_value()) changed_.Wait(mutex_);
      fault = fault_;
    }
    outcome_ = fault.ok() ? explain_(*done_, /*may_block=*/true) : fault;
    return *outcome_;
  }

  void OnReadDone(bool ok) override {
    MutexLock lock(mutex_);
    read_pending_ = false;
    if (!ok) reads_ended_ = true;
    changed_.NotifyAll();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    write_pending_ = false;
    if (!ok) write_failed_ = true;
    changed_.NotifyAll();
  }
  void OnWritesDoneDone(bool ok) override { OnWriteDone(ok); }
  void OnDone(const grpc::Status& status) override {
    MutexLock lock(mutex_);
    done_ = status;
    changed_.NotifyAll();
  }

 private:
  struct CancelOnStop {
    grpc::ClientContext* context;
    void operator()() const { context->TryCancel(); }
  };

  bool WaitForWrite() {
    MutexLock lock(mutex_);
    while (write_pending_) changed_.Wait(mutex_);
    return !write_failed_;
  }

  bool WaitForRead() {
    const absl::Time give_up = absl::Now() + progress_timeout_;
    MutexLock lock(mutex_);
    while (read_pending_) {
      if (progress_timeout_ == absl::InfiniteDuration() || !fault_.ok()) {
        changed_.Wait(mutex_);
      } else if (!changed_.WaitFor(mutex_, give_up - absl::Now()) && read_pending_ &&
                 absl::Now() >= give_up) {
        fault_ =
            MakeError(v1::REASON_UPSTREAM_STALLED,
                      absl::StrCat("nothing came for ", absl::FormatDuration(progress_timeout_)));
        context_.TryCancel();
      }
    }
    return !reads_ended_;
  }

  void SetFault(const absl::Status& fault) {
    MutexLock lock(mutex_);
    if (fault_.ok()) fault_ = fault;
  }

  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  const Explain explain_;
  const absl::Duration progress_timeout_;
  std::optional<std::stop_callback<CancelOnStop>> stop_;
  grpc::ByteBuffer sent_;
  grpc::ByteBuffer received_;
  ReceivedMessage message_;
  std::optional<absl::Status> outcome_;

  Mutex mutex_;
  CondVar changed_;
  bool write_pending_ ABSL_GUARDED_BY(mutex_) = false;
  bool writes_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_pending_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status fault_ ABSL_GUARDED_BY(mutex_);  // Found on this side.
  std::optional<grpc::Status> done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<ClientStream> OpenBlockingStream(std::shared_ptr<grpc::Channel> channel,
                                                 const std::string& path,
                                                 const CallOptions& options, Explain explain) {
  return std::make_unique<BlockingStream>(std::move(channel), path, options, std::move(explain));
}

}  // namespace sluice
