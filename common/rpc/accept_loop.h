// Accept loop: takes connections on all listening sockets in one thread, and keeps to a limit.
//
// Survives running out of descriptors: a spare one is kept back, given up to accept and refuse
// whoever knocks, and taken again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"

namespace sluice {

class AcceptLoop {
 public:
  // `accepted` takes over the connection `fd`, non-blocking, of the listener at `index` in
  // `listeners`.
  using Accepted = std::function<void(size_t index, int fd)>;

  struct Limits {
    int connections = 1024;
    int per_address = 256;  // Unix sockets have none.
  };

  // `listeners` are listening, non-blocking descriptors that stay open until `Stop`.
  AcceptLoop(std::vector<int> listeners, Limits limits, Accepted accepted);

  // As `Stop`.
  ~AcceptLoop();
  AcceptLoop(const AcceptLoop&) = delete;
  AcceptLoop& operator=(const AcceptLoop&) = delete;

  // Accepts nothing any more; returns when the thread has ended.
  void Stop();

  // Ends the connection of `peer`, named as gRPC does: "ipv4:192.0.2.1:50000". Whoever has it sees
  // its end. No effect when there is none. May be called from any thread.
  void Cut(const std::string& peer);

  // Connections that are open now. May be called from any thread.
  int connections();

 private:
  void Run();
  void AcceptFrom(size_t index);
  // Whether there is room for one more from `address`; forgets those that have ended.
  bool HasRoom(const std::string& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsFull(const std::string& address) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountOut(const std::string& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RefuseWithSpare(int listener);

  const std::vector<int> listeners_;
  const Limits limits_;
  const Accepted accepted_;
  const int stop_event_;
  int spare_;
  struct Connection {
    uint64_t cookie = 0;  // The kernel's name of the socket.
    std::string address;
    std::string peer;  // Address and port.
  };
  Mutex mutex_;
  // By descriptor. Nobody tells when one ends, but then the descriptor has another cookie or none.
  absl::flat_hash_map<int, Connection> connections_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, int> by_address_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace sluice
