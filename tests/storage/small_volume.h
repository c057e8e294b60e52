// Small volume: a file system of a few MiB in a folder, for the tests of a full disk.
//
// It is mounted in a namespace of this process's own, which its children share, and is gone with
// them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace sluice {

class SmallVolume {
 public:
  // `folder` must exist.
  SmallVolume(std::string folder, int mebibytes);
  ~SmallVolume();
  SmallVolume(const SmallVolume&) = delete;
  SmallVolume& operator=(const SmallVolume&) = delete;

  // Errors: UNAVAILABLE this machine lets nobody mount here; the message says why.
  absl::Status Mount();

  // Somebody else's file takes all that is free; again after more has become free.
  void Fill() const;
  // Takes that file away.
  void Empty() const;

 private:
  const std::string folder_;
  const int mebibytes_;
  bool mounted_ = false;
};

}  // namespace sluice
