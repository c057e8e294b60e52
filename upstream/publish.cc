#include "upstream/publish.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "sluice/v1/catalog_service.pb.h"
#include "storage/payload.h"
#include "upstream/manifest.h"

namespace sluice {
namespace {

constexpr int64_t kMemoryBytesMax = int64_t{64} << 20;

absl::Status OutOfOrder(absl::string_view what) {
  return InvalidRequest({{"part", std::string(what)}});
}

// A caller that is lost in the middle of the last file looks like one that is done; the digest
// tells them apart.
absl::Status CheckDigests(const v1::UpdateManifest& manifest) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < manifest.files_size(); ++i) {
    if (!manifest.files(i).sha256().empty()) continue;
    violations.push_back({absl::StrCat("files[", i, "].sha256"), "is required when publishing"});
  }
  return violations.empty() ? absl::OkStatus() : InvalidRequest(violations);
}

}  // namespace

// One publishing: manifest, then file after file, then the end. The bytes are held in memory, up to
// a limit, until everything is known to be right; larger files belong into the folder of a
// directory source.
class Publisher::Upload : public Conversation<v1::PublishUpdateRequest, v1::PublishUpdateResponse> {
 public:
  Upload(Publisher& publisher, CallContext context)
      : publisher_(publisher), context_(std::move(context)) {}

  absl::StatusOr<std::vector<v1::PublishUpdateResponse>> OnMessage(
      const v1::PublishUpdateRequest& request) override {
    switch (request.part_case()) {
      case v1::PublishUpdateRequest::kValidateOnly:
        if (manifest_.has_value()) return OutOfOrder("validate_only comes before the manifest");
        validate_only_ = request.validate_only();
        break;
      case v1::PublishUpdateRequest::kManifest:
        if (manifest_.has_value()) return OutOfOrder("there is one manifest, first");
        RETURN_IF_ERROR(CheckManifest(request.manifest()));
        RETURN_IF_ERROR(CheckDigests(request.manifest()));
        manifest_ = request.manifest();
        break;
      case v1::PublishUpdateRequest::kFile:
        RETURN_IF_ERROR(BeginFile(request.file()));
        break;
      case v1::PublishUpdateRequest::kData:
        if (!in_file_) return OutOfOrder("data comes after a file's path");
        held_bytes_ += static_cast<int64_t>(request.data().size());
        if (held_bytes_ > kMemoryBytesMax) {
          return absl::ResourceExhaustedError(
              "the files are over 64 MiB together; put them into a folder of a directory source");
        }
        data_ += request.data();
        break;
      case v1::PublishUpdateRequest::PART_NOT_SET:
        return OutOfOrder("is empty");
    }
    return std::vector<v1::PublishUpdateResponse>();
  }

  absl::StatusOr<std::vector<v1::PublishUpdateResponse>> OnEnd() override {
    if (!manifest_.has_value()) return OutOfOrder("there was no manifest");
    RETURN_IF_ERROR(EndFile());
    if (files_.size() != static_cast<size_t>(manifest_->files_size())) {
      return OutOfOrder(
          absl::StrCat(files_.size(), " files came, the manifest names ", manifest_->files_size()));
    }
    ASSIGN_OR_RETURN(v1::PublishUpdateResponse response, Publish());
    return std::vector<v1::PublishUpdateResponse>{std::move(response)};
  }

 private:
  absl::Status BeginFile(const std::string& path) {
    if (!manifest_.has_value()) return OutOfOrder("the manifest comes before files");
    RETURN_IF_ERROR(EndFile());
    const size_t next = files_.size();
    if (next >= static_cast<size_t>(manifest_->files_size()) ||
        manifest_->files(static_cast<int>(next)).path() != path) {
      return OutOfOrder(absl::StrCat("file \"", path, "\" is not the manifest's next one"));
    }
    in_file_ = true;
    return absl::OkStatus();
  }

  absl::Status EndFile() {
    if (!in_file_) return absl::OkStatus();
    in_file_ = false;
    const v1::ManifestFile& named = manifest_->files(static_cast<int>(files_.size()));
    const MeasuredFile measured = {Digest::Of(data_), static_cast<int64_t>(data_.size())};
    if (!named.sha256().empty() && *Digest::Parse(named.sha256()) != measured.digest) {
      return MakeError(
          v1::REASON_CONTENT_CORRUPT,
          absl::StrCat("file \"", named.path(), "\" came with SHA-256 ", measured.digest.ToHex(),
                       ", the manifest says ", named.sha256()));
    }
    files_.push_back(measured);
    bytes_.push_back(std::exchange(data_, std::string()));
    return absl::OkStatus();
  }

  absl::Status StoreFile(const MeasuredFile& file, const std::string& bytes) {
    if (publisher_.content_.Stat(file.digest).ok()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::unique_ptr<ContentWriter> writer,
                     publisher_.content_.Write(file.digest, file.size_bytes));
    const auto staged = static_cast<size_t>(writer->staged_bytes());
    RETURN_IF_ERROR(writer->Append(absl::string_view(bytes).substr(staged)));
    return writer->Commit();
  }

  absl::StatusOr<v1::PublishUpdateResponse> Publish() {
    ASSIGN_OR_RETURN(const v1::Revision revision, RevisionOf(*manifest_, files_));
    ASSIGN_OR_RETURN(CheckedRecord packed, PackRevision(revision, 0));
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(revision.update_id()));
    ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(packed.record.digest()));
    v1::PublishUpdateResponse response;
    response.set_update_id(id.ToString());
    response.set_revision_digest(digest.ToHex());
    const absl::StatusOr<RecordColumns> before = publisher_.catalog_.Read().CurrentRevision(id);
    response.set_changed(!before.ok() || before->header.digest() != packed.record.digest());
    if (validate_only_) return response;

    for (size_t i = 0; i < files_.size(); ++i) RETURN_IF_ERROR(StoreFile(files_[i], bytes_[i]));
    CatalogChange change;
    for (const v1::Category& category : CategoriesOf(*manifest_)) {
      ASSIGN_OR_RETURN(CheckedRecord packed_category, PackCategory(category));
      change.Originate(std::move(packed_category));
    }
    change.Originate(std::move(packed));
    if (response.changed()) {
      publisher_.audit_.Add(context_, "publish", manifest_->name(), id.ToString(), change);
    }
    RETURN_IF_ERROR(publisher_.catalog_.Commit(change).status());
    ASSIGN_OR_RETURN(const RecordColumns current, publisher_.catalog_.Read().CurrentRevision(id));
    response.set_revision(current.key.revision);
    return response;
  }

  Publisher& publisher_;
  const CallContext context_;
  bool validate_only_ = false;
  std::optional<v1::UpdateManifest> manifest_;
  bool in_file_ = false;
  std::string data_;  // Of the file that is coming.
  int64_t held_bytes_ = 0;
  std::vector<MeasuredFile> files_;
  std::vector<std::string> bytes_;  // Of the files.
};

void Publisher::AddTo(Router& router) {
  router.ClientStream<v1::PublishUpdateRequest, v1::PublishUpdateResponse>(
      "sluice.v1.CatalogService/PublishUpdate",
      [this](const CallContext& context) { return std::make_unique<Upload>(*this, context); });
}

}  // namespace sluice
