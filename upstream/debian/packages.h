// Packages: the binary packages of one index, and the descriptions that Translation files add.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"

namespace sluice::debian {

struct BinaryPackage {
  std::string package;
  std::string version;
  std::string source;          // The source package, of the same name unless said otherwise.
  std::string source_version;  // Its version, the same unless said otherwise.
  std::string architecture;
  std::string filename;  // Relative to the repository; checked: no way out of it.
  int64_t size_bytes = 0;
  Digest sha256;
  std::string section;
  std::string priority;
  std::string homepage;
  std::string synopsis;         // First line of the description.
  std::string description_md5;  // What Translation files refer to.
};

// Synopses in one language, by package and Description-md5.
using Translations = std::map<std::pair<std::string, std::string>, std::string>;

// Errors: INVALID_ARGUMENT SOURCE_MALFORMED naming file and package.
absl::StatusOr<std::vector<BinaryPackage>> ParsePackages(absl::string_view text,
                                                         absl::string_view name);

// Adds what a Translation file in `language` says.
absl::Status ParseTranslations(absl::string_view text, absl::string_view name,
                               absl::string_view language, Translations& translations);

}  // namespace sluice::debian
