// Signed repository: a small Debian repository in memory, signed with a throwaway key, that tests
// can break.
#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/storage/temporary_directory.h"
#include "upstream/debian/repository.h"
#include "upstream/fetch.h"

namespace sluice::debian {

// Answers from memory; what is not there is a 404.
class MemoryFetcher : public Fetcher {
 public:
  absl::Status Fetch(const FetchRequest& request,
                     const std::function<absl::Status(absl::string_view)>& sink,
                     std::stop_token stop) override;

  std::map<std::string, std::string> files;  // By URL.
  int fetches = 0;
};

class SignedRepository {
 public:
  SignedRepository();

  // One package more in main/binary-amd64/Packages.
  void AddPackage(absl::string_view name, absl::string_view version, absl::string_view more = "");
  // Lists the index in a Release, signs it, and puts all of it where the fetcher finds it.
  void Publish(absl::string_view more_release_fields = "");
  // Signs any text as InRelease is.
  std::string Sign(absl::string_view text) const;

  RepositoryConfig Config() const;
  std::string& InRelease() { return fetcher.files[base_ + "/InRelease"]; }
  std::string& Packages() { return fetcher.files[base_ + "/main/binary-amd64/Packages"]; }

  MemoryFetcher fetcher;
  const TemporaryDirectory directory;

 private:
  const std::string base_ = "http://repo.test/debian/dists/stable-security";
  std::string packages_;
};

}  // namespace sluice::debian
