// Open calls: how many calls of each connection gRPC has not let go yet, by which a flood is told.
//
// The limit of streams binds only a peer who acknowledges it, and not the streams that are reset at
// once (CVE-2023-44487); both cost the server more than their peer. A peer who keeps to the limit
// has never many more calls open than it may have streams.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"

namespace sluice {

// Thread-safe.
class OpenCalls {
 public:
  explicit OpenCalls(int per_connection_max) : per_connection_max_(per_connection_max) {}

  enum class Verdict {
    kServe,
    kCut,     // The first one too many: the connection should be ended.
    kRefuse,  // One more of those.
  };
  // Counts a call of the connection `peer`; `End` follows, whatever the verdict.
  Verdict Begin(const std::string& peer);

  void End(const std::string& peer);

 private:
  const int per_connection_max_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, int> by_connection_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
