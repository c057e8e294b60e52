// Content: the bytes of made-up files, which exist only while they are read.
#pragma once

#include <cstdint>
#include <string>

#include "common/digest.h"

namespace sluice::synthetic {

// A file that belongs to one update.
class Content {
 public:
  Content(uint64_t seed, uint64_t index, int64_t size_bytes);

  int64_t size_bytes() const { return size_bytes_; }

  // Up to `max_bytes` bytes from `offset` on; nothing at the end. They do not compress.
  std::string Read(int64_t offset, int64_t max_bytes) const;

  // Takes as long as to make and hash all bytes.
  Digest ComputeDigest() const;

 private:
  uint64_t key_;
  int64_t size_bytes_;
};

}  // namespace sluice::synthetic
