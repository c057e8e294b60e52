// Release: the signed index of a Debian suite (https://wiki.debian.org/DebianRepository/Format).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/digest.h"

namespace sluice::debian {

struct IndexEntry {
  Digest sha256;
  int64_t size_bytes = 0;
};

struct Release {
  std::string origin;
  std::string label;
  std::string suite;
  std::string codename;
  std::string version;
  absl::Time date = absl::InfinitePast();
  absl::Time valid_until = absl::InfiniteFuture();
  bool acquire_by_hash = false;
  std::vector<std::string> components;
  std::vector<std::string> architectures;
  std::map<std::string, IndexEntry> indexes;  // By path below the suite's folder.
};

// Errors: INVALID_ARGUMENT SOURCE_MALFORMED naming the line or field.
absl::StatusOr<Release> ParseRelease(absl::string_view text, absl::string_view name);

}  // namespace sluice::debian
