#include "storage/decisions.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr absl::string_view kApprovalPrefix = "approve/";
// A closure larger than this is cut off; no real one comes near.
constexpr size_t kClosureMax = 10000;

bool IsInstall(const StandingDecision& standing) {
  return absl::StartsWith(standing.decision.key(), kApprovalPrefix) &&
         standing.decision.action() == v1::APPROVAL_ACTION_INSTALL;
}

// The revision that an approval means.
std::optional<RecordKey> MeantRevision(const v1::Decision& decision,
                                       const std::vector<RecordColumns>& revisions) {
  if (revisions.empty()) return std::nullopt;
  if (decision.revision_digest().empty()) return revisions.back().key;
  for (const RecordColumns& revision : revisions) {
    if (revision.header.digest() == decision.revision_digest()) return revision.key;
  }
  return std::nullopt;
}

v1::UpdateState Judge(const std::vector<StandingDecision>& decisions) {
  bool approved = false;
  bool pending = false;
  for (const StandingDecision& standing : decisions) {
    if (standing.decision.key() == kDeclineKey) return v1::UPDATE_STATE_DECLINED;
    if (!absl::StartsWith(standing.decision.key(), kApprovalPrefix)) continue;
    (standing.revision.has_value() ? approved : pending) = true;
  }
  if (approved) return v1::UPDATE_STATE_APPROVED;
  return pending ? v1::UPDATE_STATE_PENDING : v1::UPDATE_STATE_NOT_APPROVED;
}

// Whether decisions are made at this node.
absl::StatusOr<bool> DecidesItself(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  return state.mode() == v1::NODE_MODE_ROOT || state.mode() == v1::NODE_MODE_AUTONOMOUS;
}

absl::StatusOr<std::optional<RecordColumns>> FindExpiry(const CatalogReader& reader,
                                                        const Uuid& update_id) {
  absl::StatusOr<RecordColumns> expiry =
      reader.GetColumns({v1::RECORD_KIND_EXPIRY, update_id, 0, {}});
  if (absl::IsNotFound(expiry.status())) return std::optional<RecordColumns>();
  if (!expiry.ok()) return expiry.status();
  return std::optional<RecordColumns>(*std::move(expiry));
}

// Walks from revisions of one update over all that they depend on.
absl::StatusOr<WantedFiles> WalkClosure(const CatalogReader& reader, const Uuid& update_id,
                                        std::vector<RecordColumns> open,
                                        const Selection& selection) {
  WantedFiles wanted;
  absl::flat_hash_set<Uuid> visited = {update_id};
  absl::flat_hash_set<std::string> seen_files;
  while (!open.empty() && visited.size() < kClosureMax) {
    const RecordColumns revision = std::move(open.back());
    open.pop_back();
    for (const stored::v1::FileReference& file : revision.header.files()) {
      if (selection.TakesFile(file.languages()) && seen_files.insert(file.sha256()).second) {
        wanted.files.push_back(file);
      }
    }
    for (const std::string& bytes : revision.header.depends_on()) {
      ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(bytes));
      if (!visited.insert(id).second) continue;
      wanted.needed.push_back(id);
      absl::StatusOr<RecordColumns> dependency = reader.CurrentRevision(id);
      if (absl::IsNotFound(dependency.status())) {
        wanted.absent.push_back(id);
      } else if (!dependency.ok()) {
        return dependency.status();
      } else {
        open.push_back(*std::move(dependency));
      }
    }
  }
  return wanted;
}

}  // namespace

absl::StatusOr<UpdateStanding> StandingOf(const CatalogReader& reader, const Uuid& update_id) {
  UpdateStanding standing;
  ASSIGN_OR_RETURN(std::vector<RecordColumns> revisions, reader.Revisions(update_id));
  ASSIGN_OR_RETURN(const std::vector<v1::DecisionEntry> entries, reader.Decisions(update_id));
  for (const v1::DecisionEntry& entry : entries) {
    StandingDecision decision;
    ASSIGN_OR_RETURN(decision.decision, UnpackDecision(entry));
    if (decision.decision.cleared()) continue;
    ASSIGN_OR_RETURN(decision.stamp, Stamp::FromProto(entry.stamp()));
    decision.revision = MeantRevision(decision.decision, revisions);
    standing.decisions.push_back(std::move(decision));
  }
  ASSIGN_OR_RETURN(standing.expiry, FindExpiry(reader, update_id));
  if (!revisions.empty()) standing.current = std::move(revisions.back());
  standing.state = Judge(standing.decisions);
  if (!standing.current.has_value() && !standing.decisions.empty()) {
    ASSIGN_OR_RETURN(const bool origin, DecidesItself(reader));
    if (origin) standing.state = v1::UPDATE_STATE_INACTIVE;
  }
  return standing;
}

absl::StatusOr<WantedFiles> FilesWantedFor(const CatalogReader& reader, const Uuid& update_id,
                                           const Selection& selection) {
  ASSIGN_OR_RETURN(const SiteNotices notices, SiteNotices::Read(reader));
  return FilesWantedFor(reader, update_id, selection, notices);
}

absl::StatusOr<WantedFiles> FilesWantedFor(const CatalogReader& reader, const Uuid& update_id,
                                           const Selection& selection, const SiteNotices& notices) {
  if (notices.Suppressed(update_id)) return WantedFiles();
  ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, update_id));
  if (!standing.approved()) return WantedFiles();
  std::vector<RecordColumns> approved;
  for (const StandingDecision& decision : standing.decisions) {
    if (!IsInstall(decision) || !decision.revision.has_value()) continue;
    ASSIGN_OR_RETURN(RecordColumns revision, reader.GetColumns(*decision.revision));
    approved.push_back(std::move(revision));
  }
  return WalkClosure(reader, update_id, std::move(approved), selection);
}

absl::StatusOr<WantedFiles> ClosureOf(const CatalogReader& reader, const RecordKey& revision,
                                      const Selection& selection) {
  ASSIGN_OR_RETURN(RecordColumns columns, reader.GetColumns(revision));
  return WalkClosure(reader, revision.id, {std::move(columns)}, selection);
}

std::string ApprovalKey(const Uuid& group_id) {
  return absl::StrCat(kApprovalPrefix, group_id.ToString());
}

std::optional<Uuid> GroupOfDecisionKey(absl::string_view key) {
  if (!absl::ConsumePrefix(&key, kApprovalPrefix)) return std::nullopt;
  const absl::StatusOr<Uuid> group = Uuid::Parse(key);
  return group.ok() ? std::optional<Uuid>(*group) : std::nullopt;
}

}  // namespace sluice
