#include "common/rpc/server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/rpc/accept_loop.h"
#include "common/rpc/call_reactor.h"
#include "common/rpc/call_registry.h"
#include "common/rpc/listening_socket.h"
#include "common/rpc/tls_credentials.h"
#include "common/status.h"
#include "common/worker_pool.h"

namespace sluice {
namespace {

constexpr int kMetadataBytesMax = 8 << 10;
constexpr absl::Duration kKeepaliveTime = absl::Seconds(60);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
constexpr absl::Duration kPingsNoMoreOftenThan = absl::Seconds(10);
// A call is open for a while after its stream has ended, and its peer may have begun another.
constexpr int kOpenCallsPerStream = 4;

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

void SetLimits(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.received_message_bytes_max));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(options.connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Milliseconds(options.connection_age_grace));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             Milliseconds(options.handshake_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(kPingsNoMoreOftenThan));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A small compressed message may become a huge one; what we send is compressed already.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
}

}  // namespace

void PrepareProcess() {
  // Without this one a stream over a long way is several times slower. Its companion
  // memory_pressure_controller must stay off: it reads freed memory when a connection ends while
  // data is on its way (seen with gRPC 1.51.1, within seconds under load).
  constexpr int kKeepWhatIsSet = 0;
  setenv("GRPC_EXPERIMENTS", "flow_control_fixes", kKeepWhatIsSet);
  std::signal(SIGPIPE, SIG_IGN);
  // An idle channel that is never destroyed: gRPC stops its threads with its last user, and now and
  // then waits one second, or ten, for them. Nothing is ever connected.
  new std::shared_ptr<grpc::Channel>(
      grpc::CreateChannel("unix:/nowhere", grpc::experimental::LocalCredentials(UDS)));
}

// Each listener has a gRPC server of its own: that is how a call knows what its listener grants.
class Server::Impl {
 public:
  Impl(const Router& router, ServerOptions options)
      : options_(std::move(options)),
        pool_(options_.worker_threads),
        registry_(options_.calls_per_peer_max),
        open_calls_(kOpenCallsPerStream * options_.streams_per_connection_max),
        serving_{router,    options_,    pool_,
                 registry_, open_calls_, [this](const std::string& peer) { Cut(peer); }} {}

  absl::Status Listen(const ListenAddress& address) {
    if (address.tls && !options_.tls.has_value()) {
      return absl::FailedPreconditionError(
          absl::StrCat("TLS is wanted on ", address.address, ", and there is no certificate"));
    }
    Listener listener;
    ASSIGN_OR_RETURN(listener.socket, ListeningSocket::Open(address));
    addresses_.push_back(listener.socket->address());
    listener.service = std::make_unique<RoutedService>(
        serving_, addresses_.back(), absl::StrCat("local:", addresses_.back().address),
        listener.socket->is_unix());
    grpc::ServerBuilder builder;
    SetLimits(options_, builder);
    builder.RegisterCallbackGenericService(listener.service.get());
    listener.acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        CredentialsFor(listener));
    listener.server = builder.BuildAndStart();
    if (listener.server == nullptr) {
      return absl::InternalError(absl::StrCat("gRPC cannot serve on ", address.address));
    }
    listeners_.push_back(std::move(listener));
    return absl::OkStatus();
  }

  void Accept() {
    std::vector<int> sockets;
    for (const Listener& listener : listeners_) sockets.push_back(listener.socket->fd());
    MutexLock lock(accept_mutex_);
    accept_loop_ = std::make_unique<AcceptLoop>(
        sockets, AcceptLoop::Limits{options_.connections_max, options_.connections_per_address_max},
        [this](size_t index, int fd) {
          grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
          connection.fd = fd;
          listeners_[index].acceptor->HandleNewConnection(&connection);
        });
  }

  const std::vector<ListenAddress>& addresses() const { return addresses_; }

  int connections() const {
    MutexLock lock(accept_mutex_);
    return accept_loop_ == nullptr ? 0 : accept_loop_->connections();
  }
  int connections_max() const { return options_.connections_max; }

  void Drain(absl::Time deadline) {
    if (options_.health != nullptr) options_.health->Drain();
    // A connection that gRPC gets after its shutdown would leak.
    std::unique_ptr<AcceptLoop> accepting;
    {
      MutexLock lock(accept_mutex_);
      accepting = std::move(accept_loop_);
    }
    accepting = nullptr;
    registry_.Close(absl::UnavailableError("the node is shutting down"));
    for (const Listener& listener : listeners_) {
      listener.server->Shutdown(absl::ToChronoTime(deadline));
    }
    registry_.WaitUntilEmpty();
    listeners_.clear();
  }

 private:
  struct Listener {
    std::unique_ptr<ListeningSocket> socket;
    std::unique_ptr<RoutedService> service;
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
    std::unique_ptr<grpc::Server> server;
  };

  void Cut(const std::string& peer) {
    if (options_.on_cut) options_.on_cut(peer);
    MutexLock lock(accept_mutex_);
    if (accept_loop_ != nullptr) accept_loop_->Cut(peer);
  }

  // Unlike the insecure ones, the local ones check that the caller is on this machine.
  std::shared_ptr<grpc::ServerCredentials> CredentialsFor(const Listener& listener) const {
    if (listener.socket->address().tls)
      return MakeServerCredentials(options_.tls->certificate, options_.tls->look_again);
    return grpc::experimental::LocalServerCredentials(listener.socket->is_unix() ? UDS : LOCAL_TCP);
  }

  const ServerOptions options_;
  WorkerPool pool_;
  CallRegistry registry_;
  OpenCalls open_calls_;
  const Serving serving_;
  std::vector<ListenAddress> addresses_;
  std::vector<Listener> listeners_;
  mutable Mutex accept_mutex_;
  std::unique_ptr<AcceptLoop> accept_loop_ ABSL_GUARDED_BY(accept_mutex_);
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Router& router, ServerOptions options,
                                                      const std::vector<ListenAddress>& listeners) {
  std::unique_ptr<Server> server(new Server(std::make_unique<Impl>(router, std::move(options))));
  for (const ListenAddress& listener : listeners) RETURN_IF_ERROR(server->impl_->Listen(listener));
  server->impl_->Accept();
  return server;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { Drain(absl::Now()); }

const std::vector<ListenAddress>& Server::addresses() const { return impl_->addresses(); }

int Server::connections() const { return impl_->connections(); }

int Server::connections_max() const { return impl_->connections_max(); }

void Server::Drain(absl::Time deadline) { impl_->Drain(deadline); }

}  // namespace sluice
