#include "common/rpc/accept_loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace sluice {
namespace {

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

// None when `fd` is no socket.
std::optional<uint64_t> CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

// The address without the port; empty for a Unix socket. IPv6 hosts count by their network of 64
// bits, for one has all addresses in it.
std::string AddressOf(const sockaddr_storage& peer) {
  if (peer.ss_family == AF_INET) {
    const auto& inet = reinterpret_cast<const sockaddr_in&>(peer).sin_addr;
    return std::string(reinterpret_cast<const char*>(&inet), sizeof(inet));
  }
  if (peer.ss_family == AF_INET6) {
    constexpr size_t kNetworkBytes = 8;
    constexpr size_t kMappedAt = 12;
    const auto& inet6 = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
    const std::string bytes(reinterpret_cast<const char*>(&inet6), sizeof(inet6));
    return IN6_IS_ADDR_V4MAPPED(&inet6) ? bytes.substr(kMappedAt) : bytes.substr(0, kNetworkBytes);
  }
  return "";
}

// "192.0.2.1:50000" or "[2001:db8::1]:50000"; empty for a Unix socket.
std::string PeerOf(const sockaddr_storage& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (peer.ss_family == AF_INET) {
    const auto& inet = reinterpret_cast<const sockaddr_in&>(peer);
    inet_ntop(AF_INET, &inet.sin_addr, text.data(), text.size());
    return absl::StrCat(text.data(), ":", ntohs(inet.sin_port));
  }
  if (peer.ss_family != AF_INET6) return "";
  const auto& inet6 = reinterpret_cast<const sockaddr_in6&>(peer);
  constexpr size_t kMappedAt = 12;
  if (IN6_IS_ADDR_V4MAPPED(&inet6.sin6_addr)) {
    inet_ntop(AF_INET, &inet6.sin6_addr.s6_addr[kMappedAt], text.data(), text.size());
    return absl::StrCat(text.data(), ":", ntohs(inet6.sin6_port));
  }
  inet_ntop(AF_INET6, &inet6.sin6_addr, text.data(), text.size());
  return absl::StrCat("[", text.data(), "]:", ntohs(inet6.sin6_port));
}

// The same of what gRPC calls "ipv6:%5B2001:db8::1%5D:50000", which may have a scope behind "%25".
std::string PeerNamed(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "ipv4:")) absl::ConsumePrefix(&name, "ipv6:");
  std::string peer = absl::StrReplaceAll(name, {{"%5B", "["}, {"%5D", "]"}});
  if (const size_t scope = peer.find('%'); scope != std::string::npos) {
    peer.erase(scope, peer.find(']') - scope);
  }
  return peer;
}

// Whoever closes it then does so with a reset, which leaves nothing behind.
void SetReset(int fd) {
  const linger now = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void Refuse(int fd) {
  SetReset(fd);
  close(fd);
}

}  // namespace

AcceptLoop::AcceptLoop(std::vector<int> listeners, Limits limits, Accepted accepted)
    : listeners_(std::move(listeners)),
      limits_(limits),
      accepted_(std::move(accepted)),
      stop_event_(eventfd(0, EFD_CLOEXEC)),
      spare_(OpenSpare()),
      thread_([this] { Run(); }) {}

AcceptLoop::~AcceptLoop() {
  Stop();
  close(stop_event_);
  if (spare_ >= 0) close(spare_);
}

void AcceptLoop::Stop() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_event_, 1);
  thread_.join();
}

void AcceptLoop::Run() {
  std::vector<pollfd> waiting;
  for (const int listener : listeners_) waiting.push_back({listener, POLLIN, 0});
  waiting.push_back({stop_event_, POLLIN, 0});
  while (true) {
    if (poll(waiting.data(), waiting.size(), -1) < 0) continue;
    if (waiting.back().revents != 0) return;
    for (size_t i = 0; i < listeners_.size(); ++i) {
      if (waiting[i].revents != 0) AcceptFrom(i);
    }
  }
}

void AcceptLoop::AcceptFrom(size_t index) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  const int fd = accept4(listeners_[index], reinterpret_cast<sockaddr*>(&peer), &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE) RefuseWithSpare(listeners_[index]);
    return;
  }
  std::string address = AddressOf(peer);
  {
    MutexLock lock(mutex_);
    if (!HasRoom(address)) return Refuse(fd);
    if (const auto ended = connections_.find(fd); ended != connections_.end()) {
      CountOut(ended->second.address);
    }
    ++by_address_[address];
    connections_[fd] = {CookieOf(fd).value_or(0), std::move(address), PeerOf(peer)};
  }
  accepted_(index, fd);
}

void AcceptLoop::Cut(const std::string& peer) {
  const std::string wanted = PeerNamed(peer);
  MutexLock lock(mutex_);
  for (const auto& [fd, connection] : connections_) {
    if (connection.peer != wanted || CookieOf(fd) != connection.cookie) continue;
    // Should it end right now and leave its descriptor to another, then that one loses a connection
    // for once.
    SetReset(fd);
    shutdown(fd, SHUT_RDWR);
  }
}

int AcceptLoop::connections() {
  MutexLock lock(mutex_);
  ForgetEnded();
  return static_cast<int>(connections_.size());
}

void AcceptLoop::CountOut(const std::string& address) {
  const auto count = by_address_.find(address);
  if (--count->second == 0) by_address_.erase(count);
}

bool AcceptLoop::HasRoom(const std::string& address) {
  if (!IsFull(address)) return true;
  ForgetEnded();
  return !IsFull(address);
}

bool AcceptLoop::IsFull(const std::string& address) const {
  if (connections_.size() >= static_cast<size_t>(limits_.connections)) return true;
  const auto found = by_address_.find(address);
  return !address.empty() && found != by_address_.end() && found->second >= limits_.per_address;
}

void AcceptLoop::ForgetEnded() {
  for (auto entry = connections_.begin(); entry != connections_.end();) {
    const auto here = entry++;
    if (CookieOf(here->first) == here->second.cookie) continue;
    CountOut(here->second.address);
    connections_.erase(here);
  }
}

void AcceptLoop::RefuseWithSpare(int listener) {
  if (spare_ >= 0) close(spare_);
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) Refuse(fd);
  spare_ = OpenSpare();
  // Without a descriptor the poll returns at once; so this one waits, for nothing but the stop.
  constexpr int kPauseMs = 10;
  pollfd stop = {stop_event_, POLLIN, 0};
  poll(&stop, 1, kPauseMs);
}

}  // namespace sluice
