// Content errors: the refusals that every content store words alike.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"

namespace sluice {

absl::Status ContentMissing(const Digest& digest);
absl::Status ContentCorrupt(const Digest& digest, absl::string_view what);
absl::Status ContentBeingWritten(const Digest& digest);
absl::Status ContentTooLong(const Digest& digest, int64_t announced_bytes);
absl::Status ContentPastEnd(const Digest& digest, int64_t offset, int64_t size_bytes);

}  // namespace sluice
