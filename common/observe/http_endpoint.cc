#include "common/observe/http_endpoint.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/rpc/endpoint.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr int kBacklog = 64;
// Request line and headers of a connection have to fit into this.
constexpr size_t kConnectionBytesMax = 16 << 10;
// Beside those of the options: room for a connection that is accepted in order to be refused.
constexpr unsigned kSpareConnections = 8;

constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

absl::StatusOr<SocketAddress> NumericAddress(const Endpoint& endpoint) {
  SocketAddress result;
  const std::string host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  const uint16_t port = htons(static_cast<uint16_t>(endpoint.port));
  if (!endpoint.is_unix() && inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = port;
    result.size = sizeof(sockaddr_in);
    return result;
  }
  if (!endpoint.is_unix() && inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = port;
    result.size = sizeof(sockaddr_in6);
    return result;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      endpoint.Text(), " is no numeric address with a port, as in \"127.0.0.1:9464\""));
}

absl::Status BindFailure(const Endpoint& endpoint, int error) {
  if (error == EADDRINUSE) {
    return absl::AlreadyExistsError(
        absl::StrCat(endpoint.Text(), " is taken: another process listens there"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("listening on ", endpoint.Text(), ": ", std::strerror(error)));
}

// A descriptor that listens.
absl::StatusOr<int> Listen(const Endpoint& endpoint) {
  ASSIGN_OR_RETURN(SocketAddress address, NumericAddress(endpoint));
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return BindFailure(endpoint, errno);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, address.get(), address.size) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  return BindFailure(endpoint, error);
}

int PortOf(int fd) {
  SocketAddress address;
  getsockname(fd, address.get(), &address.size);
  const bool is_v6 = address.storage.ss_family == AF_INET6;
  return ntohs(is_v6 ? reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port
                     : reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port);
}

struct Answer {
  unsigned code = MHD_HTTP_OK;
  std::string body;
  const char* type = kPlainText;
  const char* allow = nullptr;  // The header of that name.
};

MHD_Result Send(MHD_Connection* connection, const Answer& answer) {
  // Copied; the library does not write to it.
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  if (answer.allow != nullptr) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer.allow);
  }
  const MHD_Result queued = MHD_queue_response(connection, answer.code, response);
  MHD_destroy_response(response);
  return queued;
}

bool HasBody(MHD_Connection* connection) {
  const auto header = [connection](const char* name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  };
  const char* length = header(MHD_HTTP_HEADER_CONTENT_LENGTH);
  return header(MHD_HTTP_HEADER_TRANSFER_ENCODING) != nullptr ||
         (length != nullptr && absl::string_view(length) != "0");
}

Answer Verdict(const std::function<std::vector<std::string>()>& reasons) {
  const std::vector<std::string> why = reasons ? reasons() : std::vector<std::string>();
  if (why.empty()) return {MHD_HTTP_OK, "ok\n"};
  return {MHD_HTTP_SERVICE_UNAVAILABLE, absl::StrCat(absl::StrJoin(why, "\n"), "\n")};
}

}  // namespace

// All that the library calls runs in its one thread.
class HttpEndpoint::Impl {
 public:
  explicit Impl(HttpEndpointOptions options) : options_(std::move(options)) {}

  ~Impl() {
    if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
    if (daemon_ == nullptr && fd_ >= 0) close(fd_);
  }

  absl::Status Start() {
    ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(options_.address));
    ASSIGN_OR_RETURN(fd_, Listen(endpoint));
    endpoint.port = PortOf(fd_);
    address_ = endpoint.Text();
    daemon_ =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, &Impl::OnConnect, this, &Impl::OnRequest,
                         this, MHD_OPTION_LISTEN_SOCKET, fd_, MHD_OPTION_CONNECTION_LIMIT,
                         static_cast<unsigned>(options_.connections_max) + kSpareConnections,
                         MHD_OPTION_CONNECTION_TIMEOUT,
                         static_cast<unsigned>(absl::ToInt64Seconds(options_.idle_timeout)),
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytesMax,
                         MHD_OPTION_NOTIFY_CONNECTION, &Impl::OnConnection, this, MHD_OPTION_END);
    if (daemon_ == nullptr) {
      return absl::InternalError(absl::StrCat("the HTTP server cannot start on ", address_));
    }
    return absl::OkStatus();
  }

  const std::string& address() const { return address_; }

 private:
  static MHD_Result OnConnect(void* self, const sockaddr*, socklen_t) {
    return static_cast<Impl*>(self)->HasRoom() ? MHD_YES : MHD_NO;
  }

  static void OnConnection(void* self, MHD_Connection* connection, void**,
                           MHD_ConnectionNotificationCode code) {
    auto& began = static_cast<Impl*>(self)->began_;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
      began.erase(connection);
    } else {
      began[connection] = absl::Now();
    }
  }

  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* path,
                              const char* method, const char*, const char*, size_t*, void**) {
    return Send(connection, static_cast<Impl*>(self)->AnswerTo(connection, path, method));
  }

  // The idle timeout alone would let a caller who sends a byte now and then stay for ever.
  bool HasRoom() {
    if (began_.size() < static_cast<size_t>(options_.connections_max)) return true;
    const absl::Time old = absl::Now() - options_.old_after;
    bool closed = false;
    for (const auto& [connection, began] : began_) {
      if (began > old) continue;
      const MHD_ConnectionInfo* info =
          MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
      if (info == nullptr) continue;
      shutdown(info->connect_fd, SHUT_RDWR);
      closed = true;
    }
    // Those that were closed are gone in a moment, and the spare ones suffice until then.
    return closed &&
           began_.size() < static_cast<size_t>(options_.connections_max) + kSpareConnections - 1;
  }

  // Made before a body is read: there is none to wait for.
  Answer AnswerTo(MHD_Connection* connection, absl::string_view path, absl::string_view method) {
    if (path != "/metrics" && path != "/healthz" && path != "/readyz") {
      return {MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz\n"};
    }
    if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD) {
      return {MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n", kPlainText, "GET, HEAD"};
    }
    if (HasBody(connection)) return {MHD_HTTP_CONTENT_TOO_LARGE, "a request has no body here\n"};
    if (path == "/metrics") return {MHD_HTTP_OK, options_.metrics(), kPrometheusText};
    return Verdict(path == "/healthz" ? options_.faults : options_.missing);
  }

  const HttpEndpointOptions options_;
  int fd_ = -1;  // Closed by `daemon_` once there is one.
  std::string address_;
  MHD_Daemon* daemon_ = nullptr;
  absl::flat_hash_map<MHD_Connection*, absl::Time> began_;
};

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(HttpEndpointOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(impl)));
}

HttpEndpoint::HttpEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpEndpoint::~HttpEndpoint() = default;

const std::string& HttpEndpoint::address() const { return impl_->address(); }

}  // namespace sluice
