// Content demand: how serving asks the rest of the node for a file that is not here yet.
//
// At the root the answer comes from the update's source, further down from the node above: a
// request travels up the tree and its answer comes back, without waiting for anybody's schedule.
#pragma once

#include <cstdint>
#include <functional>

#include "common/digest.h"
#include "sluice/v1/content_service.pb.h"

namespace sluice {

class ContentDemand {
 public:
  virtual ~ContentDemand() = default;

  // Notes that a node below wants the file and says where it stands. Cheap; called again while the
  // caller waits.
  virtual v1::ContentAnswer Want(const Digest& digest) = 0;

  // Calls `wake`, from any thread, whenever a wanted file became ready or failed. Returns a handle
  // for `Unwatch`.
  virtual int64_t Watch(std::function<void()> wake) = 0;

  // No call of `wake` is running or comes after this returns.
  virtual void Unwatch(int64_t handle) = 0;
};

}  // namespace sluice
