// Repository: reads one suite of a Debian repository, verified from its signature down to every
// index.
//
// Signature -> Release -> indexes by digest -> packages. Anything that does not fit refuses the
// whole reading; nothing is half taken.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "upstream/debian/packages.h"
#include "upstream/debian/release.h"
#include "upstream/fetch.h"

namespace sluice::debian {

struct RepositoryConfig {
  std::string uri;    // Up to but excluding "dists/", without a slash at the end.
  std::string suite;  // Suite or codename.
  std::vector<std::string> components;
  std::vector<std::string> architectures;
  std::vector<std::string> languages;  // Of descriptions; "en" is always there.
  std::string keyring;                 // A file, or an armored key block.
  std::string proxy;
  // A transfer from which nothing comes for so long is broken off; whole seconds.
  absl::Duration stall_timeout = absl::Seconds(30);
};

// The packages of one component and architecture.
struct PackageIndex {
  std::string component;
  std::string architecture;
  std::vector<BinaryPackage> packages;
};

struct Snapshot {
  bool unchanged = false;  // The Release is that of `state`; nothing else was read.
  std::string state;       // To be given to the next reading.
  Release release;
  std::vector<PackageIndex> indexes;
  std::map<std::string, Translations> translations;  // By language.
  int64_t fetched_bytes = 0;
};

class Repository {
 public:
  // `cache_dir`: verified indexes are kept there by digest, so that only those that changed are
  // fetched. Made when missing.
  Repository(RepositoryConfig config, Fetcher& fetcher, Clock& clock, std::string cache_dir);

  // Errors: by reason SOURCE_SIGNATURE, SOURCE_EXPIRED, SOURCE_MISMATCH, SOURCE_MALFORMED,
  // SOURCE_UNAVAILABLE, PROXY_...
  absl::StatusOr<Snapshot> Read(const std::string& state, std::stop_token stop);

  // Reads although nothing changed, when another repository of the same source did.
  absl::StatusOr<Snapshot> ReadAll(std::stop_token stop) { return Read("", std::move(stop)); }

  const RepositoryConfig& config() const { return config_; }

 private:
  absl::StatusOr<std::string> FetchRelease(Snapshot& snapshot, std::stop_token stop);
  absl::Status CheckRelease(const Release& release) const;
  // An index's text; empty when it is not listed and `optional`.
  absl::StatusOr<std::string> ReadIndex(const std::string& path, bool optional, Snapshot& snapshot,
                                        std::stop_token stop);
  absl::StatusOr<std::string> FetchIndex(const std::string& path, const IndexEntry& entry,
                                         Snapshot& snapshot, std::stop_token stop);
  absl::StatusOr<std::string> FetchCapped(const std::string& url, int64_t bytes_max,
                                          Snapshot& snapshot, std::stop_token stop);

  const RepositoryConfig config_;
  Fetcher& fetcher_;
  Clock& clock_;
  const std::string cache_dir_;
};

}  // namespace sluice::debian
