#include "storage/dependents.h"

#include <memory>
#include <string>
#include <vector>

#include "common/status.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;
// The row that says that the index is whole. Family::kSettings.
constexpr absl::string_view kIndexedSetting = "dependents_indexed";

}  // namespace

absl::StatusOr<bool> AnyDependent(const CatalogReader& reader, const Uuid& update_id,
                                  absl::FunctionRef<absl::StatusOr<bool>(const RecordKey&)> visit) {
  const auto cursor =
      reader.view().Scan(Family::kDependents, update_id.view(), PrefixEnd(update_id.view()));
  for (; cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const RecordKey key,
                     RecordKey::Decode(cursor->key().substr(Uuid::kSizeBytes)));
    ASSIGN_OR_RETURN(const bool found, visit(key));
    if (found) return true;
  }
  RETURN_IF_ERROR(cursor->status());
  return false;
}

absl::Status ForEachNeeded(const CatalogReader& reader,
                           absl::FunctionRef<absl::Status(const Uuid&)> visit) {
  std::string last;
  const auto cursor = reader.view().Scan(Family::kDependents, "", "");
  for (; cursor->Valid(); cursor->Next()) {
    const absl::string_view id = cursor->key().substr(0, Uuid::kSizeBytes);
    if (id == last) continue;
    last = std::string(id);
    ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(id));
    RETURN_IF_ERROR(visit(update));
  }
  return cursor->status();
}

absl::Status EnsureDependentsIndexed(Catalog& catalog) {
  const CatalogReader reader = catalog.Read();
  if (reader.GetRow<v1::Subscription>(Family::kSettings, kIndexedSetting).ok()) {
    return absl::OkStatus();
  }
  const v1::Subscription nothing;
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> page,
                     reader.List(v1::RECORD_KIND_REVISION, after, kPage));
    if (page.empty()) break;
    after = page.back().key.Encode();
    CatalogChange change;
    for (const RecordColumns& revision : page) {
      for (const std::string& needed : revision.header.depends_on()) {
        change.PutRow(Family::kDependents, DependentKey(needed, revision.key), nothing);
      }
    }
    if (!change.empty()) RETURN_IF_ERROR(catalog.Commit(change).status());
  }
  CatalogChange whole;
  whole.PutRow(Family::kSettings, kIndexedSetting, nothing);
  return catalog.Commit(whole).status();
}

}  // namespace sluice
