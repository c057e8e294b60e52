#include "upstream/publish.h"

#include <algorithm>
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

// Each file of an update stays open until the update is complete.
constexpr int kFilesMax = 256;

absl::Status OutOfOrder(absl::string_view what) {
  return InvalidRequest({{"part", std::string(what)}});
}

// A caller that is lost in the middle of the last file looks like one that is done; digest and size
// tell them apart.
absl::Status CheckFiles(const v1::UpdateManifest& manifest) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < manifest.files_size(); ++i) {
    const v1::ManifestFile& file = manifest.files(i);
    if (file.sha256().empty()) {
      violations.push_back({absl::StrCat("files[", i, "].sha256"), "is required when publishing"});
    }
    if (file.size_bytes() < 0) {
      violations.push_back({absl::StrCat("files[", i, "].size_bytes"), "must not be negative"});
    }
  }
  if (manifest.files_size() > kFilesMax) {
    violations.push_back({"files", absl::StrCat("at most ", kFilesMax,
                                                " can be published at once; "
                                                "a directory source takes more")});
  }
  return violations.empty() ? absl::OkStatus() : InvalidRequest(violations);
}

// A file on its way in: hashed, and staged where there is a writer for it.
class IncomingFile {
 public:
  IncomingFile(const v1::ManifestFile& named, const Digest& digest,
               std::unique_ptr<ContentWriter> writer)
      : path_(named.path()),
        expected_{digest, named.size_bytes()},
        writer_(std::move(writer)),
        staged_bytes_(writer_ == nullptr ? 0 : writer_->staged_bytes()) {}

  absl::Status Append(absl::string_view data) {
    hasher_.Update(data);
    const int64_t from = received_bytes_;
    received_bytes_ += static_cast<int64_t>(data.size());
    if (received_bytes_ > expected_.size_bytes) return Differs("more bytes than that");
    if (writer_ == nullptr || received_bytes_ <= staged_bytes_) return absl::OkStatus();
    // The first bytes may be staged already, by an upload that was cut off.
    if (from < staged_bytes_) data.remove_prefix(static_cast<size_t>(staged_bytes_ - from));
    return writer_->Append(data);
  }

  // All bytes are here. Wrong ones do not stay staged.
  absl::Status End() {
    const Digest digest = hasher_.Finish();
    if (received_bytes_ == expected_.size_bytes && digest == expected_.digest) {
      return absl::OkStatus();
    }
    if (writer_ != nullptr) writer_->Commit().IgnoreError();
    return Differs(absl::StrCat(received_bytes_, " bytes with SHA-256 ", digest.ToHex()));
  }

  // Makes the file visible.
  absl::Status Store() { return writer_ == nullptr ? absl::OkStatus() : writer_->Commit(); }

  const MeasuredFile& measured() const { return expected_; }

 private:
  absl::Status Differs(absl::string_view came) const {
    return MakeError(
        v1::REASON_CONTENT_CORRUPT,
        absl::StrCat("file \"", path_, "\" came as ", came, "; the manifest says ",
                     expected_.size_bytes, " bytes with SHA-256 ", expected_.digest.ToHex()));
  }

  const std::string path_;
  const MeasuredFile expected_;
  const std::unique_ptr<ContentWriter> writer_;
  const int64_t staged_bytes_;
  int64_t received_bytes_ = 0;
  Hasher hasher_;
};

}  // namespace

// One publishing: manifest, then file after file, then the end. Files are staged as they come, and
// get their names in the content store only when everything is known to be right.
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
        RETURN_IF_ERROR(CheckFiles(request.manifest()));
        manifest_ = request.manifest();
        break;
      case v1::PublishUpdateRequest::kFile:
        RETURN_IF_ERROR(BeginFile(request.file()));
        break;
      case v1::PublishUpdateRequest::kData:
        if (!in_file_) return OutOfOrder("data comes after a file's path");
        RETURN_IF_ERROR(files_.back()->Append(request.data()));
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
    const v1::ManifestFile& named = manifest_->files(static_cast<int>(next));
    ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(named.sha256()));
    std::unique_ptr<ContentWriter> writer;
    const bool here = std::any_of(files_.begin(), files_.end(), [&digest](const auto& file) {
      return file->measured().digest == digest;
    });
    if (!validate_only_ && !here && !publisher_.content_.Stat(digest).ok()) {
      ASSIGN_OR_RETURN(writer, publisher_.content_.Write(digest, named.size_bytes()));
    }
    files_.push_back(std::make_unique<IncomingFile>(named, digest, std::move(writer)));
    in_file_ = true;
    return absl::OkStatus();
  }

  absl::Status EndFile() {
    if (!std::exchange(in_file_, false)) return absl::OkStatus();
    return files_.back()->End();
  }

  absl::StatusOr<v1::PublishUpdateResponse> Publish() {
    std::vector<MeasuredFile> measured;
    for (const auto& file : files_) measured.push_back(file->measured());
    ASSIGN_OR_RETURN(const v1::Revision revision, RevisionOf(*manifest_, measured));
    ASSIGN_OR_RETURN(CheckedRecord packed, PackRevision(revision, 0));
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(revision.update_id()));
    ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(packed.record.digest()));
    v1::PublishUpdateResponse response;
    response.set_update_id(id.ToString());
    response.set_revision_digest(digest.ToHex());
    const absl::StatusOr<RecordColumns> before = publisher_.catalog_.Read().CurrentRevision(id);
    response.set_changed(!before.ok() || before->header.digest() != packed.record.digest());
    if (validate_only_) return response;

    for (const auto& file : files_) RETURN_IF_ERROR(file->Store());
    CatalogChange change;
    for (const v1::Category& category : CategoriesOf(*manifest_)) {
      ASSIGN_OR_RETURN(CheckedRecord packed_category, PackCategory(category));
      change.Originate(std::move(packed_category));
    }
    change.Originate(std::move(packed));
    if (response.changed()) {
      publisher_.audit_.Add(context_, "publish", manifest_->name(), id.ToString(), change);
    }
    // A clean-up may just have freed a file that was here already.
    const auto made = [&](const CatalogReader&) -> absl::StatusOr<CatalogChange> {
      for (const MeasuredFile& file : measured) {
        RETURN_IF_ERROR(publisher_.content_.Stat(file.digest).status());
      }
      return change;
    };
    RETURN_IF_ERROR(publisher_.catalog_.CommitMade(made).status());
    ASSIGN_OR_RETURN(const RecordColumns current, publisher_.catalog_.Read().CurrentRevision(id));
    response.set_revision(current.key.revision);
    return response;
  }

  Publisher& publisher_;
  const CallContext context_;
  bool validate_only_ = false;
  std::optional<v1::UpdateManifest> manifest_;
  bool in_file_ = false;
  std::vector<std::unique_ptr<IncomingFile>> files_;  // The last one is coming while `in_file_`.
};

void Publisher::AddTo(Router& router) {
  router.ClientStream<v1::PublishUpdateRequest, v1::PublishUpdateResponse>(
      "sluice.v1.CatalogService/PublishUpdate",
      [this](const CallContext& context) { return std::make_unique<Upload>(*this, context); });
}

}  // namespace sluice
