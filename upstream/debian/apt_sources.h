// Apt sources: the repositories that this machine's own apt is configured with.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "upstream/debian/repository.h"

namespace sluice::debian {

struct AptSources {
  std::vector<RepositoryConfig> repositories;
  std::vector<std::string> skipped;  // Entries of other schemes, by URI.
};

// Asks apt for its targets and configuration, and reads the Signed-By of the entries below
// `apt_dir` ("/etc/apt"). `suite_pattern`: only suites that match this shell pattern; empty: all.
//
// Errors: UNAVAILABLE SOURCE_UNAVAILABLE apt cannot be asked, or is configured with nothing that
// matches.
absl::StatusOr<AptSources> ReadAptSources(const std::string& apt_dir,
                                          const std::string& suite_pattern,
                                          const std::vector<std::string>& languages);

}  // namespace sluice::debian
