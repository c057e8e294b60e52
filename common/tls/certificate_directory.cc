#include "common/tls/certificate_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/digest.h"
#include "common/file_io.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr absl::string_view kIncoming = "incoming";
constexpr absl::string_view kLive = "live";
constexpr absl::string_view kGeneration = "gen-";
constexpr int kDirectoryMode = 0700;
constexpr int kSecretMode = 0600;

// The generations on disk, oldest first.
std::vector<int64_t> Generations(const std::string& path) {
  std::vector<int64_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    absl::string_view digits = name;
    int64_t number = 0;
    if (absl::ConsumePrefix(&digits, kGeneration) && absl::SimpleAtoi(digits, &number)) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string GenerationName(int64_t number) {
  return absl::StrCat(kGeneration, absl::Dec(number, absl::kZeroPad6));
}

std::string DigestOf(const CertificateFiles& files) {
  Hasher hasher;
  for (const std::string* file : {&files.key, &files.certificate, &files.authorities}) {
    hasher.Update(absl::StrCat(file->size(), ":")).Update(*file);
  }
  return hasher.Finish().ToHex();
}

// Reads the file that `path` leads to.
absl::StatusOr<std::string> ReadLinked(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  return ReadSmallFile(error ? path : real.string());
}

}  // namespace

absl::StatusOr<CertificateFiles> ReadCertificateFiles(const CertificatePaths& paths) {
  CertificateFiles files;
  ASSIGN_OR_RETURN(files.key, ReadLinked(paths.key));
  ASSIGN_OR_RETURN(files.certificate, ReadLinked(paths.certificate));
  ASSIGN_OR_RETURN(files.authorities, ReadLinked(paths.authorities));
  return files;
}

absl::Status WriteCertificateFiles(const std::string& folder, const CertificateFiles& files) {
  RETURN_IF_ERROR(MakeDirectory(folder, kDirectoryMode));
  const CertificatePaths paths = CertificatePaths::In(folder);
  RETURN_IF_ERROR(WriteSmallFile(paths.key, files.key, kSecretMode));
  RETURN_IF_ERROR(WriteSmallFile(paths.certificate, files.certificate));
  return WriteSmallFile(paths.authorities, files.authorities);
}

CertificateDirectory::CertificateDirectory(std::string path, std::string node_id)
    : path_(std::move(path)), node_id_(std::move(node_id)) {}

absl::Status CertificateDirectory::Make(const std::string& path) {
  RETURN_IF_ERROR(MakeDirectory(path, kDirectoryMode));
  return MakeDirectory(absl::StrCat(path, "/", kIncoming), kDirectoryMode);
}

absl::StatusOr<std::unique_ptr<CertificateDirectory>> CertificateDirectory::Open(
    std::string path, std::string node_id, absl::Time now) {
  std::unique_ptr<CertificateDirectory> directory(
      new CertificateDirectory(std::move(path), std::move(node_id)));
  RETURN_IF_ERROR(Make(directory->path_));
  const absl::StatusOr<CertificateFiles> files = ReadCertificateFiles(directory->paths());
  if (files.ok()) directory->live_set_ = DigestOf(*files);
  const Outcome incoming = directory->Look(now);
  if (incoming.changed) return directory;
  if (absl::IsNotFound(files.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "there is no certificate: put ", kKeyFile, ", ", kCertificateFile, " and ",
        kAuthoritiesFile, " into ", directory->path_, "/", kIncoming,
        ", as `sluice certificate issue --node ", directory->node_id_, "` makes them",
        incoming.refused.ok()
            ? ""
            : absl::StrCat("; what lies there was refused: ", incoming.refused.message())));
  }
  if (!files.ok()) return files.status();
  absl::StatusOr<CheckedCertificate> checked = CheckCertificate(*files, directory->node_id_, now);
  if (!checked.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the certificate in ", directory->path_, "/", kLive, " cannot be used: ",
        checked.status().message(), "; put a new one into ", directory->path_, "/", kIncoming));
  }
  directory->live_ = *std::move(checked);
  return directory;
}

CertificatePaths CertificateDirectory::paths() const {
  return CertificatePaths::In(absl::StrCat(path_, "/", kLive));
}

CertificateDirectory::Outcome CertificateDirectory::Look(absl::Time now) {
  Outcome outcome;
  const absl::StatusOr<CertificateFiles> files =
      ReadCertificateFiles(CertificatePaths::In(absl::StrCat(path_, "/", kIncoming)));
  if (!files.ok()) {
    // Not all there yet.
    if (!absl::IsNotFound(files.status()) && refused_set_ != files.status().message()) {
      refused_set_ = std::string(files.status().message());
      outcome.refused = files.status();
    }
    return outcome;
  }
  const std::string set = DigestOf(*files);
  if (set == refused_set_) return outcome;
  if (set == live_set_) {
    outcome.refused = RemoveIncoming();
    if (!outcome.refused.ok()) refused_set_ = set;
    return outcome;
  }
  absl::StatusOr<CheckedCertificate> checked = CheckCertificate(*files, node_id_, now);
  absl::Status status = checked.status();
  if (status.ok()) status = CheckTrustDomain(*checked);
  if (status.ok()) status = Publish(*files);
  if (!status.ok()) {
    refused_set_ = set;
    outcome.refused = status;
    return outcome;
  }
  live_ = *std::move(checked);
  live_set_ = set;
  outcome.changed = true;
  outcome.refused = RemoveIncoming();
  return outcome;
}

// Those connected now were let in by the old one's.
absl::Status CertificateDirectory::CheckTrustDomain(const CheckedCertificate& next) const {
  const std::string& now = live_.identity.trust_domain;
  if (now.empty() || next.identity.trust_domain == now) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(kCertificateFile, ": is of the trust domain ", next.identity.trust_domain,
                   ", and this node belongs to ", now, "; only a restart changes that"));
}

absl::Status CertificateDirectory::Publish(const CertificateFiles& files) {
  const std::vector<int64_t> before = Generations(path_);
  const int64_t number = before.empty() ? 1 : before.back() + 1;
  const std::string name = GenerationName(number);
  RETURN_IF_ERROR(WriteCertificateFiles(absl::StrCat(path_, "/", name), files));
  RETURN_IF_ERROR(SyncDirectory(path_));
  const std::string link = absl::StrCat(path_, "/", kLive);
  const std::string staged = absl::StrCat(link, ".new");
  unlink(staged.c_str());
  if (symlink(name.c_str(), staged.c_str()) != 0) return FileError(errno, "making", staged);
  if (rename(staged.c_str(), link.c_str()) != 0) return FileError(errno, "renaming to", link);
  RETURN_IF_ERROR(SyncDirectory(path_));
  RemoveOld(number);
  return absl::OkStatus();
}

absl::Status CertificateDirectory::RemoveIncoming() const {
  const CertificatePaths paths = CertificatePaths::In(absl::StrCat(path_, "/", kIncoming));
  for (const std::string& path : {paths.key, paths.certificate, paths.authorities}) {
    // On a read-only volume they stay, and are known by being those in use.
    if (unlink(path.c_str()) != 0 && errno != ENOENT && errno != EROFS) {
      return FileError(errno, "removing", path);
    }
  }
  return absl::OkStatus();
}

// The one before stays, for a reader that is just at it.
void CertificateDirectory::RemoveOld(int64_t newest) const {
  std::error_code ignored;
  for (const int64_t number : Generations(path_)) {
    if (number >= newest - 1) continue;
    std::filesystem::remove_all(absl::StrCat(path_, "/", GenerationName(number)), ignored);
  }
}

}  // namespace sluice
