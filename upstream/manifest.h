// Manifest: an in-house update in its publisher's words, and the way to a revision.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"
#include "common/uuid.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/record.pb.h"
#include "storage/content_store.h"

namespace sluice {

// A manifest's file with its bytes measured. In the order of the manifest.
struct MeasuredFile {
  Digest digest;
  int64_t size_bytes = 0;
};

// Errors: INVALID_ARGUMENT INVALID_REQUEST naming the fields that are wrong, all of them.
absl::Status CheckManifest(const v1::UpdateManifest& manifest);

// The update's id: as given, or derived from its name.
absl::StatusOr<Uuid> UpdateIdOf(const v1::UpdateManifest& manifest);

// The revision that a checked manifest means. `files` are its measured files.
absl::StatusOr<v1::Revision> RevisionOf(const v1::UpdateManifest& manifest,
                                        const std::vector<MeasuredFile>& files);

// The categories that a manifest names, parents before children.
std::vector<v1::Category> CategoriesOf(const v1::UpdateManifest& manifest);

// The last part of a file's path.
std::string FileNameOf(absl::string_view path);

}  // namespace sluice
