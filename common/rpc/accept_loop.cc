#include "common/rpc/accept_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

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

// Closes with a reset, which leaves nothing behind.
void Refuse(int fd) {
  const linger now = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(fd);
}

}  // namespace

AcceptLoop::AcceptLoop(std::vector<int> listeners, int connections_max, Accepted accepted)
    : listeners_(std::move(listeners)),
      connections_max_(static_cast<size_t>(connections_max)),
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
  const int fd = accept4(listeners_[index], nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE) RefuseWithSpare(listeners_[index]);
    return;
  }
  if (!HasRoom()) return Refuse(fd);
  connections_[fd] = CookieOf(fd).value_or(0);
  accepted_(index, fd);
}

bool AcceptLoop::HasRoom() {
  if (connections_.size() < connections_max_) return true;
  absl::erase_if(connections_,
                 [](const auto& entry) { return CookieOf(entry.first) != entry.second; });
  return connections_.size() < connections_max_;
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
