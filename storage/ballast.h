// Ballast: a file that does nothing but take space, so that there is some to give away when the
// volume of the store is full.
//
// Giving space back costs space: a narrower subscription, an update's removal and RocksDB's own
// cleaning all write first. When somebody else has filled the volume, an operator releases the
// ballast; the node then writes on, down to a quarter of what it keeps free, until the ballast is
// reserved again.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "storage/space_guard.h"

namespace sluice {

class Ballast {
 public:
  // The file at `path`, of `size_bytes` once it is reserved; 0: there is none and will be none.
  Ballast(std::string path, int64_t size_bytes);

  int64_t size_bytes() const { return size_bytes_; }
  bool reserved() const { return state_ == State::kReserved; }
  // Released by an operator, also in an earlier life of the process, and not reserved since.
  bool released() const { return state_ == State::kReleased; }

  // Takes the space, where `guard` says that as much can be spared. No effect when it is reserved.
  // Errors: RESOURCE_EXHAUSTED STORE_NO_SPACE it cannot.
  absl::Status Reserve(const SpaceGuard& guard);

  // Gives the space back and remembers that. No effect when it is released.
  absl::Status Release();

 private:
  enum class State { kAbsent, kReserved, kReleased };

  const std::string path_;
  const int64_t size_bytes_;
  std::atomic<State> state_ = State::kAbsent;
};

}  // namespace sluice
