// Space guard: refuses work before a volume is full.
//
// RocksDB may abort or hang when the disk is full; and what needs space to give space back (a
// compaction, the removal of a record) must still find some.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/errors.h"

namespace sluice {

class SpaceGuard {
 public:
  // Free bytes on the volume of `path`, or -1 when it cannot be asked.
  using Ask = std::function<int64_t(const std::string& path)>;

  // `ask`: for tests; empty: the system.
  SpaceGuard(std::string path, int64_t keep_free_bytes, Ask ask = {});

  // Whether `bytes` more may be written.
  //
  // Errors: RESOURCE_EXHAUSTED `reason` (STORE_NO_SPACE or CONTENT_NO_SPACE): less would be left
  // free than is kept; the message has the numbers and the path.
  absl::Status Check(v1::Reason reason, int64_t bytes) const;

  const std::string& path() const { return path_; }
  int64_t keep_free_bytes() const { return keep_free_bytes_; }
  // As `Ask` says.
  int64_t free_bytes() const { return ask_(path_); }

 private:
  const std::string path_;
  const int64_t keep_free_bytes_;
  const Ask ask_;
};

}  // namespace sluice
