// Anchor: an independent witness of how far the store got.
//
// RocksDB opens "OK" after it lost synced rows with a damaged log. So every acknowledged commit is
// also written, synced, to two alternating slots outside of it; a store that is behind its anchor
// at start has lost data, and says so instead of serving an older state.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/digest.h"
#include "common/uuid.h"

namespace sluice {

struct AnchorState {
  Uuid epoch_id;
  uint64_t epoch_counter = 0;
  uint64_t head_seq = 0;
  uint64_t commits = 0;  // Also counts commits that change rows and no records.
  Digest running_hash;   // Over all commits of the epoch so far.

  friend bool operator==(const AnchorState&, const AnchorState&) = default;
};

class Anchor {
 public:
  virtual ~Anchor() = default;

  // The newest valid slot; none before the first write. Errors: DATA_LOSS both slots are damaged.
  virtual absl::StatusOr<std::optional<AnchorState>> Read() = 0;

  // Makes `state` durable.
  virtual absl::Status Write(const AnchorState& state) = 0;
};

// Remembers in memory; for tests and the simulator.
class MemoryAnchor : public Anchor {
 public:
  absl::StatusOr<std::optional<AnchorState>> Read() override { return state_; }
  absl::Status Write(const AnchorState& state) override {
    state_ = state;
    return absl::OkStatus();
  }

 private:
  std::optional<AnchorState> state_;
};

}  // namespace sluice
