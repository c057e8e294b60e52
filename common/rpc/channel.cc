#include "common/rpc/channel.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <optional>
#include <stop_token>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/mutex.h"
#include "common/rpc/byte_buffer.h"
#include "common/rpc/channel_stream.h"
#include "common/rpc/connect_probe.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/tls_credentials.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr absl::Duration kUnaryDeadline = absl::Seconds(60);
constexpr absl::Duration kKeepaliveTime = absl::Seconds(60);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
constexpr absl::Duration kReconnectFirst = absl::Milliseconds(100);
constexpr absl::Duration kReconnectMax = absl::Seconds(1);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

grpc::ChannelArguments Arguments(const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.received_message_bytes_max));
  arguments.SetUserAgentPrefix(options.user_agent);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // Whoever calls knows what may be tried again, and when.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(kReconnectFirst));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(options.connect_timeout));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(kReconnectMax));
  return arguments;
}

std::string PathOf(absl::string_view method) {
  return absl::StrCat("/", absl::StripPrefix(method, "/"));
}

// What a failed call means for the caller. Acts on the code alone; gRPC's texts vary.
absl::Status ExplainEnd(const Endpoint& endpoint,
                        const std::optional<CertificatePaths>& certificate,
                        const std::optional<std::string>& node_id, const grpc::Status& ended,
                        bool may_block) {
  absl::Status status = FromGrpc(ended);
  if (!absl::IsUnavailable(status) || ReasonOf(status) != v1::REASON_UNSPECIFIED) return status;
  if (may_block) {
    constexpr absl::Duration kProbeTimeout = absl::Seconds(2);
    RETURN_IF_ERROR(ProbeConnect(endpoint, kProbeTimeout, certificate, node_id));
  }
  return WithReason(Annotate(status, absl::StrCat("calling ", endpoint.Text())),
                    v1::REASON_UPSTREAM_CONNECT);
}

// Waits for the end of one unary call.
class UnaryEnd {
 public:
  void Set(const grpc::Status& status) {
    MutexLock lock(mutex_);
    status_ = status;
    changed_.NotifyAll();
  }
  grpc::Status Wait() {
    MutexLock lock(mutex_);
    while (!status_.has_value()) changed_.Wait(mutex_);
    return *status_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

class Channel::Impl {
 public:
  Impl(std::string target, const Endpoint& endpoint, const ChannelOptions& options,
       const std::shared_ptr<grpc::ChannelCredentials>& credentials)
      : target_(std::move(target)),
        endpoint_(endpoint),
        certificate_(options.certificate),
        node_id_(options.node_id),
        channel_(grpc::CreateCustomChannel(endpoint.Text(), credentials, Arguments(options))),
        stub_(channel_) {}

  absl::Status Unary(absl::string_view method, const google::protobuf::Message& request,
                     google::protobuf::Message& response, const CallOptions& options) {
    grpc::ClientContext context;
    const absl::Time deadline = options.deadline == absl::InfiniteFuture()
                                    ? absl::Now() + kUnaryDeadline
                                    : options.deadline;
    context.set_deadline(absl::ToChronoTime(deadline));
    context.set_wait_for_ready(options.wait_for_ready);
    const grpc::ByteBuffer sent = ToByteBuffer(OutMessage{request.SerializeAsString(), nullptr});
    grpc::ByteBuffer received;
    const auto end = std::make_shared<UnaryEnd>();  // Shared with the callback's last moments.
    stub_.UnaryCall(&context, PathOf(method), grpc::StubOptions(), &sent, &received,
                    [end](const grpc::Status& status) { end->Set(status); });
    const std::stop_callback cancel(options.stop, [&context] { context.TryCancel(); });
    const grpc::Status status = end->Wait();
    if (!status.ok()) return MakeExplain()(status, /*may_block=*/true);
    ReceivedMessage message;
    return ParseSlices(message.Take(received), response);
  }

  std::unique_ptr<ClientStream> Open(absl::string_view method, const CallOptions& options) {
    return OpenBlockingStream(channel_, PathOf(method), options, MakeExplain());
  }

  std::unique_ptr<StreamHandle> Subscribe(absl::string_view method,
                                          const google::protobuf::Message& request,
                                          StreamReceiver& receiver, const CallOptions& options) {
    return OpenSubscription(channel_, PathOf(method), request, receiver, options, MakeExplain());
  }

  const std::string& target() const { return target_; }

 private:
  Explain MakeExplain() const {
    return [endpoint = endpoint_, certificate = certificate_, node_id = node_id_](
               const grpc::Status& status, bool may_block) {
      return ExplainEnd(endpoint, certificate, node_id, status, may_block);
    };
  }

  const std::string target_;
  const Endpoint endpoint_;
  const std::optional<CertificatePaths> certificate_;
  const std::optional<std::string> node_id_;
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
};

absl::StatusOr<std::unique_ptr<Channel>> Channel::Create(absl::string_view target,
                                                         ChannelOptions options) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(target));
  if (endpoint.is_unix()) options.certificate = std::nullopt;
  std::shared_ptr<grpc::ChannelCredentials> credentials =
      grpc::experimental::LocalCredentials(endpoint.is_unix() ? UDS : LOCAL_TCP);
  if (options.certificate.has_value()) {
    ASSIGN_OR_RETURN(credentials, MakeChannelCredentials(*options.certificate,
                                                         {endpoint.host, options.node_id}));
  }
  return std::unique_ptr<Channel>(
      new Channel(std::make_unique<Impl>(std::string(target), endpoint, options, credentials)));
}

Channel::Channel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Channel::~Channel() = default;

absl::Status Channel::Unary(absl::string_view method, const google::protobuf::Message& request,
                            google::protobuf::Message& response, const CallOptions& options) {
  return impl_->Unary(method, request, response, options);
}

std::unique_ptr<ClientStream> Channel::Open(absl::string_view method, const CallOptions& options) {
  return impl_->Open(method, options);
}

std::unique_ptr<ClientStream> Channel::OpenRead(absl::string_view method,
                                                const google::protobuf::Message& request,
                                                const CallOptions& options) {
  std::unique_ptr<ClientStream> stream = impl_->Open(method, options);
  if (stream->Write(request)) stream->CloseWrites();
  return stream;
}

std::unique_ptr<StreamHandle> Channel::Subscribe(absl::string_view method,
                                                 const google::protobuf::Message& request,
                                                 StreamReceiver& receiver,
                                                 const CallOptions& options) {
  return impl_->Subscribe(method, request, receiver, options);
}

const std::string& Channel::target() const { return impl_->target(); }

}  // namespace sluice
