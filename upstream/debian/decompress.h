// Decompress: the packings of Debian's indexes. Capped, so that a small file cannot become a large
// one.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice::debian {

// Unpacks by the ending of `name`: .xz, .gz, .bz2, or none at all.
//
// Errors:
//   DATA_LOSS SOURCE_MISMATCH  truncated, damaged, or more than `bytes_max`.
absl::StatusOr<std::string> Decompress(absl::string_view data, absl::string_view name,
                                       int64_t bytes_max);

}  // namespace sluice::debian
