// Content store: the bytes of every update file, addressed by digest.
//
// Content never changes once stored, so any copy anywhere in the tree is as good as any other. A
// file is staged under its digest's name, hashed while it is written, synced and renamed: nobody
// can read bytes that were not verified.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"

namespace sluice {

// A file on its way in. Dropped without `Commit`, its bytes stay staged and a later write may go on
// behind them.
class ContentWriter {
 public:
  virtual ~ContentWriter() = default;

  // How many bytes are staged already, kept from an earlier attempt.
  virtual int64_t staged_bytes() const = 0;

  // Appends. Errors: RESOURCE_EXHAUSTED CONTENT_NO_SPACE; OUT_OF_RANGE more bytes than announced.
  virtual absl::Status Append(absl::string_view data) = 0;

  // Verifies, syncs and publishes. Errors: DATA_LOSS CONTENT_CORRUPT the bytes have another digest
  // or size; they are gone then.
  virtual absl::Status Commit() = 0;
};

struct ContentInfo {
  Digest digest;
  int64_t size_bytes = 0;
};

// What becomes of the bytes of a removed file.
enum class Removal {
  kSetAside,  // They were wrong: some are kept for those who want to know why.
  kForGood,   // Nobody needs them any more.
};

class ContentStore {
 public:
  virtual ~ContentStore() = default;

  // Errors: NOT_FOUND CONTENT_MISSING this store does not hold it.
  virtual absl::StatusOr<ContentInfo> Stat(const Digest& digest) = 0;

  // Reads up to `max_bytes` from `offset`; fewer only at the end.
  //
  // Errors:
  //   NOT_FOUND     CONTENT_MISSING.
  //   OUT_OF_RANGE  `offset` is past the end.
  virtual absl::StatusOr<std::string> Read(const Digest& digest, int64_t offset,
                                           int64_t max_bytes) = 0;

  // Begins or goes on with a file of `size_bytes`. One writer a digest at a time:
  // FAILED_PRECONDITION for a second.
  virtual absl::StatusOr<std::unique_ptr<ContentWriter>> Write(const Digest& digest,
                                                               int64_t size_bytes) = 0;

  // Takes a file out of sight. Removing what is absent is no error.
  virtual absl::Status Remove(const Digest& digest, Removal removal = Removal::kSetAside) = 0;

  // Calls `visit` for each stored file, in digest order, until it returns false.
  virtual absl::Status ForEach(absl::FunctionRef<bool(const ContentInfo&)> visit) = 0;

  // Reads the whole file and compares. Errors: NOT_FOUND CONTENT_MISSING; DATA_LOSS
  // CONTENT_CORRUPT.
  virtual absl::Status Verify(const Digest& digest) = 0;
};

}  // namespace sluice
