#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <optional>
#include <stop_token>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "common/rpc/byte_buffer.h"
#include "common/rpc/channel_stream.h"

namespace sluice {
namespace {

// Hands each message to the receiver and reads on when that says so.
class Subscription : public StreamHandle,
                     public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Subscription(std::shared_ptr<grpc::Channel> channel, const std::string& path,
               const google::protobuf::Message& request, StreamReceiver& receiver,
               const CallOptions& options, Explain explain)
      : stub_(std::move(channel)), receiver_(receiver), explain_(std::move(explain)) {
    if (options.deadline != absl::InfiniteFuture()) {
      context_.set_deadline(absl::ToChronoTime(options.deadline));
    }
    context_.set_wait_for_ready(options.wait_for_ready);
    stub_.PrepareBidiStreamingCall(&context_, path, grpc::StubOptions(), this);
    sent_ = ToByteBuffer(OutMessage{request.SerializeAsString(), nullptr});
    StartWriteLast(&sent_, grpc::WriteOptions());
    StartRead(&received_);
    AddHold();  // For `ReadMore`, until nothing can be read any more.
    StartCall();
    stop_.emplace(options.stop, CancelOnStop{&context_});
  }

  ~Subscription() override {
    Cancel();
    stop_.reset();
    MutexLock lock(mutex_);
    while (!done_) changed_.Wait(mutex_);
  }

  void ReadMore() override {
    {
      MutexLock lock(mutex_);
      if (!paused_) {
        // The receiver that said "wait" has not returned yet.
        read_more_ = true;
        return;
      }
      paused_ = false;
    }
    StartRead(&received_);
  }

  void Cancel() override {
    context_.TryCancel();
    ReadMore();  // The end is seen by a read alone.
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      RemoveHold();
      return;
    }
    if (!receiver_.OnMessage(message_.Take(received_))) {
      MutexLock lock(mutex_);
      paused_ = !std::exchange(read_more_, false);
      if (paused_) return;
    }
    StartRead(&received_);
  }

  void OnDone(const grpc::Status& status) override {
    receiver_.OnDone(explain_(status, /*may_block=*/false));
    MutexLock lock(mutex_);
    done_ = true;
    changed_.NotifyAll();
  }

 private:
  struct CancelOnStop {
    grpc::ClientContext* context;
    void operator()() const { context->TryCancel(); }
  };

  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  StreamReceiver& receiver_;
  const Explain explain_;
  grpc::ByteBuffer sent_;
  grpc::ByteBuffer received_;
  ReceivedMessage message_;
  std::optional<std::stop_callback<CancelOnStop>> stop_;

  Mutex mutex_;
  CondVar changed_;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_more_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<StreamHandle> OpenSubscription(std::shared_ptr<grpc::Channel> channel,
                                               const std::string& path,
                                               const google::protobuf::Message& request,
                                               StreamReceiver& receiver, const CallOptions& options,
                                               Explain explain) {
  return std::make_unique<Subscription>(std::move(channel), path, request, receiver, options,
                                        std::move(explain));
}

}  // namespace sluice
