// `update publish`: sends an in-house update, its manifest first, then each of its files.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/digest.h"
#include "common/yaml.h"
#include "sluice/v1/catalog_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kPublish = "sluice.v1.CatalogService/PublishUpdate";
// As PublishUpdateRequest.data allows.
constexpr size_t kChunkBytes = 1 << 20;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

absl::Status CannotRead(const std::string& path) {
  return LocalFailure(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
}

absl::StatusOr<File> Open(const std::string& path) {
  File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return CannotRead(path);
  return file;
}

// The next bytes of the file, at most `bytes_max`; empty at its end.
absl::StatusOr<std::string> ReadSome(std::FILE* file, const std::string& path, size_t bytes_max) {
  std::string data(bytes_max, '\0');
  data.resize(std::fread(data.data(), 1, data.size(), file));
  if (std::ferror(file) != 0) return CannotRead(path);
  return data;
}

// An update as it lies on this machine.
struct LocalUpdate {
  v1::UpdateManifest manifest;     // As it is sent.
  std::vector<std::string> paths;  // Where each of its files is.
  int64_t bytes = 0;
};

// Hashes the file, so that the node can tell whether it arrived as it was here.
absl::StatusOr<std::string> HashFile(const std::string& path, int64_t& bytes) {
  ASSIGN_OR_RETURN(const File file, Open(path));
  Hasher hasher;
  while (true) {
    ASSIGN_OR_RETURN(const std::string data, ReadSome(file.get(), path, kChunkBytes));
    if (data.empty()) return hasher.Finish().ToHex();
    hasher.Update(data);
    bytes += static_cast<int64_t>(data.size());
  }
}

absl::StatusOr<LocalUpdate> ReadLocalUpdate(const std::string& manifest_path) {
  LocalUpdate update;
  ASSIGN_OR_RETURN(const File file, Open(manifest_path));
  ASSIGN_OR_RETURN(const std::string text, ReadSome(file.get(), manifest_path, kYamlBytesMax + 1));
  if (const absl::Status parsed = ParseYaml(text, manifest_path, update.manifest); !parsed.ok()) {
    return LocalFailure(parsed.message());
  }
  const std::filesystem::path folder = std::filesystem::path(manifest_path).parent_path();
  std::set<std::string> names;
  for (v1::ManifestFile& entry : *update.manifest.mutable_files()) {
    const std::string path = (folder / entry.path()).string();
    entry.set_path(std::filesystem::path(entry.path()).filename().string());
    if (!names.insert(entry.path()).second) {
      return LocalFailure(absl::StrCat(manifest_path, ": two files are named ", entry.path()));
    }
    int64_t bytes = 0;
    ASSIGN_OR_RETURN(const std::string sha256, HashFile(path, bytes));
    if (!entry.sha256().empty() && absl::AsciiStrToLower(entry.sha256()) != sha256) {
      return LocalFailure(absl::StrCat(path, " has the digest ", sha256, ", and the manifest says ",
                                       entry.sha256()));
    }
    entry.set_sha256(sha256);
    entry.set_size_bytes(bytes);
    update.bytes += bytes;
    update.paths.push_back(path);
  }
  return update;
}

// Makes the messages of the call one by one: [validate_only], manifest, then for each file its name
// and its bytes.
class PublishStream {
 public:
  PublishStream(const LocalUpdate& update, bool validate_only, Progress& progress)
      : update_(update), validate_only_(validate_only), progress_(progress) {}

  absl::StatusOr<bool> Next(v1::PublishUpdateRequest& request) {
    request.Clear();
    if (validate_only_) {
      validate_only_ = false;
      request.set_validate_only(true);
      return true;
    }
    if (!sent_manifest_) {
      sent_manifest_ = true;
      *request.mutable_manifest() = update_.manifest;
      return true;
    }
    while (true) {
      if (file_ != nullptr) {
        ASSIGN_OR_RETURN(std::string data,
                         ReadSome(file_.get(), update_.paths[index_], kChunkBytes));
        if (!data.empty()) {
          sent_bytes_ += static_cast<int64_t>(data.size());
          progress_.Draw(
              absl::StrCat("sent ", HumanBytes(sent_bytes_), " of ", HumanBytes(update_.bytes)));
          request.set_data(std::move(data));
          return true;
        }
        file_.reset();
        ++index_;
      }
      if (index_ == update_.paths.size()) return false;
      ASSIGN_OR_RETURN(file_, Open(update_.paths[index_]));
      request.set_file(update_.manifest.files(static_cast<int>(index_)).path());
      return true;
    }
  }

 private:
  const LocalUpdate& update_;
  bool validate_only_;
  Progress& progress_;
  bool sent_manifest_ = false;
  size_t index_ = 0;
  File file_;
  int64_t sent_bytes_ = 0;
};

absl::StatusOr<int> RunPublish(Invocation& invocation) {
  ASSIGN_OR_RETURN(const LocalUpdate update, ReadLocalUpdate(invocation.args.positionals()[0]));
  v1::PublishUpdateResponse response;
  {
    Progress progress(invocation.draws_progress, invocation.err);
    PublishStream stream(update, invocation.dry_run, progress);
    v1::PublishUpdateRequest request;
    RETURN_IF_ERROR(invocation.caller.ClientStream(
        kPublish, request, [&] { return stream.Next(request); }, response));
  }
  invocation.Print(
      response,
      [&] {
        invocation.out << (!response.changed()  ? "known already: "
                           : invocation.dry_run ? "would publish "
                                                : "published ")
                       << response.update_id() << " revision " << response.revision() << " ("
                       << Plural(update.manifest.files_size(), "file") << ", "
                       << HumanBytes(update.bytes) << ")\n";
      },
      [&] { invocation.out << response.update_id() << "\n"; });
  return kExitOk;
}

}  // namespace

Verb UpdatePublishVerb() {
  return {.name = "update publish",
          .positionals = "MANIFEST",
          .summary = "Publish an in-house update; its files are named relative to the manifest.",
          .method = kPublish,
          .flags = {},
          .positionals_min = 1,
          .positionals_max = 1,
          .changes_state = true,
          .run = RunPublish};
}

}  // namespace sluice
