#include "tests/upstream/debian/signed_repository.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "upstream/debian/run_program.h"

namespace sluice::debian {
namespace {

ProgramResult Run(const std::vector<std::string>& arguments) {
  const absl::StatusOr<ProgramResult> result = RunProgram(arguments);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 0) << result->errors;
  return *result;
}

}  // namespace

absl::Status MemoryFetcher::Fetch(const FetchRequest& request,
                                  const std::function<absl::Status(absl::string_view)>& sink,
                                  std::stop_token /*stop*/) {
  ++fetches;
  const auto found = files.find(request.url);
  if (found == files.end()) return absl::NotFoundError(absl::StrCat(request.url, " is not there"));
  if (static_cast<int64_t>(found->second.size()) > request.bytes_max) {
    return MakeError(v1::REASON_SOURCE_MISMATCH, "more bytes than were due");
  }
  return sink(found->second);
}

SignedRepository::SignedRepository() {
  Run({"/usr/bin/gpg", "--homedir", directory.path(), "--batch", "--passphrase", "",
       "--quick-generate-key", "Test <test@example.org>", "ed25519", "sign", "never"});
  Run({"/usr/bin/gpg", "--homedir", directory.path(), "--batch", "--armor", "--output",
       directory.path() + "/key.asc", "--export"});
}

std::string SignedRepository::Sign(absl::string_view text) const {
  const std::string path = directory.path() + "/text";
  std::ofstream(path, std::ios::binary) << text;
  return Run({"/usr/bin/gpg", "--homedir", directory.path(), "--batch", "--passphrase", "",
              "--clearsign", "--output", "-", path})
      .output;
}

void SignedRepository::AddPackage(absl::string_view name, absl::string_view version,
                                  absl::string_view more) {
  absl::StrAppend(&packages_, "Package: ", name, "\nVersion: ", version,
                  "\nArchitecture: amd64\nFilename: pool/", name, "_", version,
                  "_amd64.deb\nSize: 7\nSHA256: ", Digest::Of(name).ToHex(),
                  "\nDescription: synopsis of ", name, "\n", more, "\n");
}

void SignedRepository::Publish(absl::string_view more_release_fields) {
  Packages() = packages_;
  InRelease() = Sign(absl::StrCat(
      "Origin: Test\nSuite: stable-security\nCodename: stable-security\nVersion: 12.1\n",
      more_release_fields, "SHA256:\n ", Digest::Of(packages_).ToHex(), " ", packages_.size(),
      " main/binary-amd64/Packages\n"));
}

RepositoryConfig SignedRepository::Config() const {
  RepositoryConfig config;
  config.uri = "http://repo.test/debian";
  config.suite = "stable-security";
  config.components = {"main"};
  config.architectures = {"amd64"};
  config.languages = {"en"};
  config.keyring = directory.path() + "/key.asc";
  return config;
}

}  // namespace sluice::debian
