#include "storage/content_errors.h"

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace sluice {

absl::Status ContentMissing(const Digest& digest) {
  return MakeError(v1::REASON_CONTENT_MISSING,
                   absl::StrCat("file ", digest.ToHex(), " is not stored here"));
}

absl::Status ContentCorrupt(const Digest& digest, absl::string_view what) {
  return MakeError(v1::REASON_CONTENT_CORRUPT, absl::StrCat("file ", digest.ToHex(), " ", what));
}

absl::Status ContentBeingWritten(const Digest& digest) {
  return absl::FailedPreconditionError(
      absl::StrCat("file ", digest.ToHex(), " is being written by somebody else"));
}

absl::Status ContentTooLong(const Digest& digest, int64_t announced_bytes) {
  return absl::OutOfRangeError(absl::StrCat("file ", digest.ToHex(), " has more bytes than the ",
                                            announced_bytes, " that were announced"));
}

absl::Status ContentPastEnd(const Digest& digest, int64_t offset, int64_t size_bytes) {
  return absl::OutOfRangeError(absl::StrCat("offset ", offset, " of file ", digest.ToHex(),
                                            ", which has ", size_bytes, " bytes"));
}

}  // namespace sluice
