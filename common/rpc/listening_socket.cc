#include "common/rpc/listening_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/rpc/connect_probe.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr int kBacklog = 512;

absl::Status Taken(const Endpoint& endpoint) {
  return absl::AlreadyExistsError(
      absl::StrCat(endpoint.Text(), " is taken: another process listens there"));
}

absl::Status Failed(absl::string_view what, const Endpoint& endpoint, int error) {
  return absl::FailedPreconditionError(
      absl::StrCat(what, " ", endpoint.Text(), ": ", std::strerror(error)));
}

// A socket address of either family.
struct TcpAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// Numeric addresses and "localhost", which is 127.0.0.1 here; without TLS only those of loopback.
absl::StatusOr<TcpAddress> NumericAddress(const Endpoint& endpoint, bool tls) {
  TcpAddress result;
  const std::string host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  bool allowed = tls;
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    constexpr uint32_t kLoopbackNet = 127;
    allowed |= ntohl(v4->sin_addr.s_addr) >> 24 == kLoopbackNet;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(endpoint.port));
    result.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    allowed |= IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) != 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(endpoint.port));
    result.size = sizeof(sockaddr_in6);
  }
  if (result.size == 0 && tls) {
    return absl::InvalidArgumentError(absl::StrCat(
        endpoint.Text(), " is listened on by its numeric address, as in \"0.0.0.0:8531\""));
  }
  if (!allowed) {
    return absl::FailedPreconditionError(
        absl::StrCat("TLS is needed on ", endpoint.Text(),
                     "; without it only 127.0.0.1, [::1] and Unix sockets are listened on"));
  }
  return result;
}

// Accepted connections inherit these. Without TCP_NODELAY small answers wait for acknowledgements.
void SetTcpOptions(int fd) {
  constexpr int kOn = 1;
  constexpr int kIdleSeconds = 60;
  constexpr unsigned kUnacknowledgedMs = 80'000;  // Keepalive time and timeout together.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof(kOn));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof(kOn));
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof(kOn));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleSeconds, sizeof(kIdleSeconds));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs, sizeof(kUnacknowledgedMs));
}

// Removes what a process that ended badly has left at the path.
absl::Status RemoveStaleSocket(const Endpoint& endpoint) {
  struct stat file = {};
  if (lstat(endpoint.unix_path.c_str(), &file) != 0) return absl::OkStatus();
  if (!S_ISSOCK(file.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(endpoint.unix_path, " exists and is not a socket"));
  }
  if (ProbeConnect(endpoint, absl::Seconds(1)).ok()) return Taken(endpoint);
  if (unlink(endpoint.unix_path.c_str()) != 0 && errno != ENOENT) {
    return Failed("replacing the old socket of", endpoint, errno);
  }
  return absl::OkStatus();
}

}  // namespace

ListeningSocket::ListeningSocket(int fd, ListenAddress address, Endpoint endpoint)
    : fd_(fd), address_(std::move(address)), endpoint_(std::move(endpoint)) {}

absl::StatusOr<std::unique_ptr<ListeningSocket>> ListeningSocket::Open(
    const ListenAddress& address) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(address.address));
  int family = AF_UNIX;
  if (!endpoint.is_unix()) {
    ASSIGN_OR_RETURN(const TcpAddress tcp, NumericAddress(endpoint, address.tls));
    family = tcp.storage.ss_family;
  }
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Failed("opening a socket for", endpoint, errno);
  std::unique_ptr<ListeningSocket> result(new ListeningSocket(fd, address, endpoint));
  RETURN_IF_ERROR(endpoint.is_unix() ? result->BindUnix() : result->BindTcp());
  if (listen(fd, kBacklog) != 0) {
    return errno == EADDRINUSE ? Taken(endpoint) : Failed("listening on", endpoint, errno);
  }
  return result;
}

ListeningSocket::~ListeningSocket() {
  struct stat file = {};
  if (inode_ != 0 && lstat(endpoint_.unix_path.c_str(), &file) == 0 && file.st_ino == inode_ &&
      file.st_dev == device_) {
    unlink(endpoint_.unix_path.c_str());
  }
  close(fd_);
}

absl::Status ListeningSocket::BindTcp() {
  ASSIGN_OR_RETURN(TcpAddress address, NumericAddress(endpoint_, address_.tls));
  SetTcpOptions(fd_);
  if (bind(fd_, address.get(), address.size) != 0) {
    return errno == EADDRINUSE ? Taken(endpoint_) : Failed("binding", endpoint_, errno);
  }
  if (getsockname(fd_, address.get(), &address.size) != 0) {
    return Failed("reading the port of", endpoint_, errno);
  }
  // The port lies at the same place in both families.
  endpoint_.port = ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
  address_.address = endpoint_.Text();
  return absl::OkStatus();
}

absl::Status ListeningSocket::BindUnix() {
  RETURN_IF_ERROR(RemoveStaleSocket(endpoint_));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  endpoint_.unix_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return errno == EADDRINUSE ? Taken(endpoint_) : Failed("binding", endpoint_, errno);
  }
  struct stat file = {};
  if (lstat(endpoint_.unix_path.c_str(), &file) != 0) {
    return Failed("looking at", endpoint_, errno);
  }
  device_ = file.st_dev;
  inode_ = file.st_ino;
  // Nobody can connect before `listen`, so the mode comes in time.
  if (chmod(endpoint_.unix_path.c_str(), static_cast<mode_t>(address_.unix_mode)) != 0) {
    return Failed("setting the mode of", endpoint_, errno);
  }
  address_.address = endpoint_.Text();
  return absl::OkStatus();
}

}  // namespace sluice
