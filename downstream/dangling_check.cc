#include "downstream/dangling_check.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "downstream/finding_words.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;
constexpr size_t kNamedMax = 3;

absl::StatusOr<bool> IsHere(const CatalogReader& reader, absl::string_view id_bytes) {
  ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(id_bytes));
  const absl::StatusOr<RecordColumns> revision = reader.CurrentRevision(id);
  if (absl::IsNotFound(revision.status())) return false;
  RETURN_IF_ERROR(revision.status());
  return true;
}

}  // namespace

absl::StatusOr<std::vector<Uuid>> LackedBy(const CatalogReader& reader, const Uuid& update_id) {
  std::vector<Uuid> lacked;
  const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update_id);
  if (absl::IsNotFound(current.status())) return lacked;
  RETURN_IF_ERROR(current.status());
  bool all_here = true;
  for (const std::string& id : current->header.depends_on()) {
    ASSIGN_OR_RETURN(const bool here, IsHere(reader, id));
    all_here = all_here && here;
  }
  if (all_here) return lacked;
  // The columns do not say which of them are alternatives.
  ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(current->key));
  ASSIGN_OR_RETURN(const v1::Revision revision, UnpackRevision(record));
  for (const std::string& id : revision.bundled()) {
    ASSIGN_OR_RETURN(const bool here, IsHere(reader, id));
    ASSIGN_OR_RETURN(const Uuid member, Uuid::FromBytes(id));
    if (!here) lacked.push_back(member);
  }
  for (const v1::AnyOf& any : revision.prerequisites()) {
    bool fulfilled = any.update_ids().empty();
    for (const std::string& id : any.update_ids()) {
      ASSIGN_OR_RETURN(const bool here, IsHere(reader, id));
      fulfilled = fulfilled || here;
    }
    if (fulfilled) continue;
    ASSIGN_OR_RETURN(const Uuid first, Uuid::FromBytes(any.update_ids(0)));
    lacked.push_back(first);
  }
  return lacked;
}

absl::StatusOr<std::optional<v1::Finding>> DanglingOf(const CatalogReader& reader,
                                                      const Uuid& update_id) {
  ASSIGN_OR_RETURN(const std::vector<Uuid> lacked, LackedBy(reader, update_id));
  if (lacked.empty()) return std::optional<v1::Finding>();
  ASSIGN_OR_RETURN(const RecordColumns update, reader.CurrentRevision(update_id));
  v1::Finding finding;
  finding.set_finding_class(v1::FINDING_CLASS_DANGLING);
  finding.set_kind(v1::RECORD_KIND_REVISION);
  finding.set_id(update_id.ToString());
  finding.set_title(update.header.title());
  finding.set_revision_here(update.key.revision);
  std::vector<std::string> named;
  for (size_t i = 0; i < std::min(lacked.size(), kNamedMax); ++i) {
    named.push_back(lacked[i].ToString());
  }
  finding.set_cause(absl::StrCat("it needs ", lacked.size(),
                                 lacked.size() == 1 ? " update" : " updates",
                                 " that this node does not have: ", absl::StrJoin(named, ", "),
                                 lacked.size() > kNamedMax ? ", ..." : ""));
  Explain(finding);
  return std::optional(std::move(finding));
}

absl::Status FindDangling(const CatalogReader& reader, const std::set<Uuid>& known,
                          std::vector<v1::Finding>& findings) {
  std::set<Uuid> looked_at = known;
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions,
                     reader.List(v1::RECORD_KIND_REVISION, after, kPage));
    if (revisions.empty()) return absl::OkStatus();
    after = revisions.back().key.Encode();
    for (const RecordColumns& revision : revisions) {
      if (revision.header.depends_on().empty()) continue;
      if (!looked_at.insert(revision.key.id).second) continue;
      ASSIGN_OR_RETURN(std::optional<v1::Finding> finding, DanglingOf(reader, revision.key.id));
      if (finding.has_value()) findings.push_back(*std::move(finding));
    }
  }
}

}  // namespace sluice
