#include "common/rpc/connect_probe.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "common/tls/certificate_directory.h"
#include "common/tls/tls_probe.h"

namespace sluice {
namespace {

absl::Status NotConnected(const Endpoint& endpoint, int error) {
  return MakeError(v1::REASON_UPSTREAM_CONNECT,
                   absl::StrCat("connecting to ", endpoint.Text(), ": ", std::strerror(error)));
}

// Connects `fd` to the address: 0, or the errno.
int TryConnect(int fd, const sockaddr* address, socklen_t size, absl::Duration timeout) {
  if (connect(fd, address, size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting = {fd, POLLOUT, 0};
  const int ready = poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  if (ready == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t error_size = sizeof(error);
  if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0) return errno;
  return error;
}

// Non-blocking; closes itself.
class Socket {
 public:
  explicit Socket(int family)
      : fd_(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }

 private:
  const int fd_;
};

// The handshake over a connection that was made.
absl::Status TryTls(const Socket& socket, const Endpoint& endpoint, const CertificatePaths& paths,
                    const std::optional<std::string>& node_id, absl::Duration timeout) {
  ASSIGN_OR_RETURN(const CertificateFiles files, ReadCertificateFiles(paths));
  return Annotate(ProbeTls(socket.fd(), {endpoint.host, node_id}, files, timeout),
                  absl::StrCat("connecting to ", endpoint.Text()));
}

bool IsLoopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    constexpr uint32_t kLoopbackNet = 127;
    const auto* inet = reinterpret_cast<const sockaddr_in*>(address);
    return ntohl(inet->sin_addr.s_addr) >> 24 == kLoopbackNet;
  }
  const auto* inet6 = reinterpret_cast<const sockaddr_in6*>(address);
  return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&inet6->sin6_addr);
}

absl::Status ProbeUnix(const Endpoint& endpoint, absl::Duration timeout) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  endpoint.unix_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const Socket socket(AF_UNIX);
  const int error = TryConnect(socket.fd(), reinterpret_cast<const sockaddr*>(&address),
                               sizeof(address), timeout);
  return error == 0 ? absl::OkStatus() : NotConnected(endpoint, error);
}

}  // namespace

absl::Status ProbeConnect(const Endpoint& endpoint, absl::Duration timeout,
                          const std::optional<CertificatePaths>& certificate,
                          const std::optional<std::string>& node_id) {
  if (endpoint.is_unix()) return ProbeUnix(endpoint, timeout);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure =
      getaddrinfo(endpoint.host.c_str(), absl::StrCat(endpoint.port).c_str(), &hints, &found);
  if (failure != 0) {
    return MakeError(v1::REASON_UPSTREAM_DNS,
                     absl::StrCat("resolving ", endpoint.host, ": ", gai_strerror(failure)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  constexpr int kAddressesMax = 4;
  int error = ECONNREFUSED;
  bool any_possible = false;
  int tried = 0;
  for (const addrinfo* at = found; at != nullptr && tried < kAddressesMax; at = at->ai_next) {
    if (!certificate.has_value() && !IsLoopback(at->ai_addr)) continue;
    any_possible = true;
    ++tried;
    const Socket socket(at->ai_family);
    error = TryConnect(socket.fd(), at->ai_addr, at->ai_addrlen, timeout);
    if (error != 0) continue;
    return certificate.has_value() ? TryTls(socket, endpoint, *certificate, node_id, timeout)
                                   : absl::OkStatus();
  }
  if (!any_possible) {
    return MakeError(v1::REASON_UPSTREAM_TLS,
                     absl::StrCat("TLS is needed to reach ", endpoint.Text(),
                                  ", which is not on this machine; without TLS only loopback and "
                                  "Unix sockets are used"));
  }
  return NotConnected(endpoint, error);
}

}  // namespace sluice
