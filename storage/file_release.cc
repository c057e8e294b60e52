#include "storage/file_release.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "google/protobuf/empty.pb.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

// Family::kSettings, with the file's digest behind it.
constexpr absl::string_view kNotePrefix = "release/";
// So many at once while commits wait.
constexpr int kFilesAtOnce = 500;

absl::Status ReleaseOne(const CatalogReader& reader, const Digest& file, ContentStore& content,
                        CatalogChange& change, Released& released) {
  change.DeleteRow(Family::kSettings, ReleaseNoteKey(file.view()));
  ASSIGN_OR_RETURN(const std::vector<RecordKey> uses, reader.FileUses(file));
  if (!uses.empty()) return absl::OkStatus();
  released.freed.push_back(file);
  const absl::StatusOr<ContentInfo> stored = content.Stat(file);
  if (stored.ok()) {
    RETURN_IF_ERROR(content.Remove(file, Removal::kForGood));
    ++released.files;
    released.bytes += stored->size_bytes;
  }
  change.DeleteRow(Family::kContentOrigins, file.view());
  change.DeleteRow(Family::kContent, file.view());
  return absl::OkStatus();
}

}  // namespace

void NoteForRelease(const Digest& file, CatalogChange& change) {
  change.PutRow(Family::kSettings, ReleaseNoteKey(file.view()), google::protobuf::Empty());
}

std::string ReleaseNoteKey(absl::string_view file) { return absl::StrCat(kNotePrefix, file); }

absl::StatusOr<Released> ReleaseNoted(Catalog& catalog, ContentStore& content) {
  Released released;
  while (true) {
    int noted = 0;
    const auto make = [&](const CatalogReader& reader) -> absl::StatusOr<CatalogChange> {
      ASSIGN_OR_RETURN(const auto rows,
                       reader.ListRows<google::protobuf::Empty>(
                           Family::kSettings, kNotePrefix, PrefixEnd(kNotePrefix), kFilesAtOnce));
      CatalogChange change;
      for (const auto& [key, row] : rows) {
        ASSIGN_OR_RETURN(const Digest file,
                         Digest::FromBytes(absl::string_view(key).substr(kNotePrefix.size())));
        RETURN_IF_ERROR(ReleaseOne(reader, file, content, change, released));
        ++noted;
      }
      return change;
    };
    RETURN_IF_ERROR(catalog.CommitMade(make).status());
    if (noted < kFilesAtOnce) return released;
  }
}

}  // namespace sluice
