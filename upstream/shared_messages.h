// Shared messages: what was prepared for one child's stream of changes, for others that stand at
// the same place with the same selection. So a change costs its serialisation once, however many
// children watch, and still nothing is queued for a child. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/mutex.h"
#include "common/uuid.h"

namespace sluice {

// Where a stream stands when it needs a batch.
struct StreamPlace {
  Digest selection;
  uint64_t after = 0;  // The seq up to which everything was said.
  friend bool operator==(const StreamPlace&, const StreamPlace&) = default;
};

struct SharedMessage {
  std::shared_ptr<const std::string> bytes;  // A serialised v1::ChangesResponse.
  uint64_t next = 0;                         // Where the stream stands behind it.
  // Nodes that are told something else here, since shards of their own were looked at: 16 bytes
  // each.
  std::vector<std::string> not_for;
};

class SharedMessages {
 public:
  // `bytes_max`: how many bytes of messages are kept; the oldest goes first.
  explicit SharedMessages(size_t bytes_max = size_t{8} << 20) : bytes_max_(bytes_max) {}

  // The message for a child at `place`; its `bytes` are null when none is kept.
  SharedMessage Find(const StreamPlace& place, const Uuid& child) const;

  // Keeps a message that was made for `child`, unless it is for that child alone. One that a later
  // state of the catalog would say otherwise is no harm: what changed since comes again later in
  // the log.
  void Keep(const StreamPlace& place, const Uuid& child, SharedMessage message);

 private:
  const size_t bytes_max_;
  mutable Mutex mutex_;
  std::list<std::pair<StreamPlace, SharedMessage>> messages_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sluice
