#include "upstream/directory_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/file_io.h"
#include "common/status.h"
#include "common/yaml.h"
#include "upstream/manifest.h"

namespace sluice {
namespace {

constexpr int64_t kManifestBytesMax = int64_t{1} << 20;
constexpr int64_t kReadBytes = int64_t{1} << 20;

// Opens a file of the folder; no part of the way to it may be a symbolic link.
absl::StatusOr<File> OpenInside(const std::string& root, const std::string& relative) {
  std::filesystem::path path(root);
  for (const std::filesystem::path& part : std::filesystem::path(relative)) {
    path /= part;
    std::error_code ignored;
    if (std::filesystem::is_symlink(path, ignored)) {
      return absl::PermissionDeniedError(absl::StrCat(path.string(), " is a symbolic link"));
    }
  }
  return OpenRegularFile(path.string());
}

absl::StatusOr<MeasuredFile> Measure(const File& file, const std::string& path,
                                     std::stop_token stop) {
  MeasuredFile measured;
  Hasher hasher;
  while (true) {
    if (stop.stop_requested()) return MakeError(v1::REASON_CANCELLED, "cancelled");
    ASSIGN_OR_RETURN(const std::string data, ReadAt(file, measured.size_bytes, kReadBytes, path));
    if (data.empty()) break;
    hasher.Update(data);
    measured.size_bytes += static_cast<int64_t>(data.size());
  }
  measured.digest = hasher.Finish();
  return measured;
}

absl::StatusOr<std::vector<std::string>> ManifestNames(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    std::string name = it->path().filename().string();
    if (absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml")) {
      names.push_back(std::move(name));
    }
  }
  if (error) {
    return MakeError(v1::REASON_SOURCE_UNAVAILABLE,
                     absl::StrCat("listing ", path, ": ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

DirectorySource::DirectorySource(std::string name, const config::v1::DirectorySource& config)
    : name_(std::move(name)), path_(config.path()) {}

absl::StatusOr<SourceReading> DirectorySource::Read(const std::string& state, const FactSink& sink,
                                                    std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ManifestNames(path_));
  // A folder is small enough to be handed over in one part.
  SourceFacts facts;
  for (const std::string& name : names) {
    const absl::Status status = AddManifest(name, facts, stop);
    if (ReasonOf(status) == v1::REASON_CANCELLED) return status;
    if (!status.ok()) facts.problems.push_back({name, status});
  }
  Hasher hasher;
  for (const v1::Revision& revision : facts.revisions) {
    hasher.Update(revision.SerializeAsString());
  }
  SourceReading reading;
  reading.state = hasher.Finish().ToHex();
  reading.incomplete = !facts.problems.empty();
  reading.unchanged = reading.state == state && !reading.incomplete;
  if (!reading.unchanged) RETURN_IF_ERROR(sink(std::move(facts)));
  return reading;
}

absl::Status DirectorySource::AddManifest(const std::string& file_name, SourceFacts& facts,
                                          std::stop_token stop) {
  ASSIGN_OR_RETURN(const File file, OpenInside(path_, file_name));
  ASSIGN_OR_RETURN(const std::string text, ReadAt(file, 0, kManifestBytesMax + 1, file_name));
  if (static_cast<int64_t>(text.size()) > kManifestBytesMax) {
    return MakeError(v1::REASON_SOURCE_MALFORMED, "is over 1 MiB");
  }
  v1::UpdateManifest manifest;
  RETURN_IF_ERROR(ParseYaml(text, file_name, manifest));
  RETURN_IF_ERROR(CheckManifest(manifest));
  std::vector<MeasuredFile> measured;
  std::vector<FileOrigin> origins;
  for (int i = 0; i < manifest.files_size(); ++i) {
    const v1::ManifestFile& named = manifest.files(i);
    const std::string field = absl::StrCat("files[", i, "].path: ", named.path());
    const absl::StatusOr<File> content = OpenInside(path_, named.path());
    if (!content.ok()) return Annotate(content.status(), field);
    ASSIGN_OR_RETURN(const MeasuredFile size, Measure(*content, named.path(), stop));
    if (!named.sha256().empty() && *Digest::Parse(named.sha256()) != size.digest) {
      return MakeError(
          v1::REASON_SOURCE_MISMATCH,
          absl::StrCat(field, " has SHA-256 ", size.digest.ToHex(), ", not ", named.sha256()));
    }
    FileOrigin origin;
    origin.digest = size.digest;
    origin.origin.set_source(name_);
    origin.origin.set_path(named.path());
    origin.origin.set_base(path_);
    origin.origin.set_size_bytes(size.size_bytes);
    origins.push_back(std::move(origin));
    measured.push_back(size);
  }
  ASSIGN_OR_RETURN(v1::Revision revision, RevisionOf(manifest, measured));
  for (const v1::Revision& other : facts.revisions) {
    if (other.update_id() == revision.update_id()) {
      return MakeError(v1::REASON_SOURCE_MALFORMED,
                       absl::StrCat("another manifest describes update \"", manifest.name(), "\""));
    }
  }
  for (v1::Category& category : CategoriesOf(manifest)) {
    facts.categories.push_back(std::move(category));
  }
  std::move(origins.begin(), origins.end(), std::back_inserter(facts.files));
  facts.revisions.push_back(std::move(revision));
  return absl::OkStatus();
}

absl::Status DirectorySource::ReadFile(const stored::v1::ContentOrigin& origin, int64_t offset,
                                       const std::function<absl::Status(absl::string_view)>& sink,
                                       std::stop_token stop) {
  const absl::StatusOr<File> file = OpenInside(path_, origin.path());
  if (absl::IsNotFound(file.status())) {
    return MakeError(v1::REASON_CONTENT_SOURCE_GONE,
                     absl::StrCat(path_, "/", origin.path(), " is gone"));
  }
  RETURN_IF_ERROR(file.status());
  while (!stop.stop_requested()) {
    ASSIGN_OR_RETURN(const std::string data, ReadAt(*file, offset, kReadBytes, origin.path()));
    if (data.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(sink(data));
    offset += static_cast<int64_t>(data.size());
  }
  return MakeError(v1::REASON_CANCELLED, "cancelled");
}

}  // namespace sluice
