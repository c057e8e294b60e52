// Accept loop: takes connections on all listening sockets in one thread, and keeps to a limit.
//
// Survives running out of descriptors: a spare one is kept back, given up to accept and refuse
// whoever knocks, and taken again.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace sluice {

class AcceptLoop {
 public:
  // `accepted` takes over the connection `fd`, non-blocking, of the listener at `index` in
  // `listeners`.
  using Accepted = std::function<void(size_t index, int fd)>;

  // `listeners` are listening, non-blocking descriptors that stay open until `Stop`.
  AcceptLoop(std::vector<int> listeners, int connections_max, Accepted accepted);

  // As `Stop`.
  ~AcceptLoop();
  AcceptLoop(const AcceptLoop&) = delete;
  AcceptLoop& operator=(const AcceptLoop&) = delete;

  // Accepts nothing any more; returns when the thread has ended.
  void Stop();

 private:
  void Run();
  void AcceptFrom(size_t index);
  // Whether there is room for one more; forgets those that have ended.
  bool HasRoom();
  void RefuseWithSpare(int listener);

  const std::vector<int> listeners_;
  const size_t connections_max_;
  const Accepted accepted_;
  const int stop_event_;
  int spare_;
  // Connections by descriptor with the kernel's cookie of the socket; nobody tells when one ends,
  // but then the descriptor has another cookie or none.
  absl::flat_hash_map<int, uint64_t> connections_;
  std::thread thread_;
};

}  // namespace sluice
