#include "storage/own_place.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "storage/root_cursor.h"
#include "storage/site_notices.h"

namespace sluice {
namespace {

constexpr int kMissingMax = 1000;

Known KnownIf(bool yes) { return yes ? Known::kYes : Known::kNo; }

// Why the update's metadata is not here, where something was wrong with it.
absl::StatusOr<v1::ItemStatus> MetadataFailureOf(const CatalogReader& reader,
                                                 const Uuid& update_id) {
  const std::string item = RecordKey{v1::RECORD_KIND_REVISION, update_id, 0, {}}.ToString();
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<stored::v1::MissingRow>(Family::kMissing, "", "", kMissingMax));
  for (const auto& [key, row] : rows) {
    if (absl::StartsWith(key, item)) return row.status();
  }
  return v1::ItemStatus();
}

void TakeDecisions(const UpdateStanding& standing, PlaceFacts& facts) {
  facts.decided = KnownIf(!standing.decisions.empty());
  facts.declined = KnownIf(standing.declined());
  facts.approval = Approval::kNotApproved;
  for (const StandingDecision& standing_decision : standing.decisions) {
    const v1::Decision& decision = standing_decision.decision;
    if (decision.key() == kDeclineKey) {
      facts.declined_by = absl::StrCat(
          decision.decided_by().empty() ? "" : absl::StrCat(" by ", decision.decided_by()),
          decision.comment().empty() ? "" : absl::StrCat(": ", decision.comment()));
    }
    if (!GroupOfDecisionKey(decision.key()).has_value()) continue;
    if (standing_decision.revision.has_value()) {
      facts.approval = Approval::kApproved;
    } else if (facts.approval == Approval::kNotApproved) {
      facts.approval = Approval::kForAnotherRevision;
    }
  }
}

// The licence of the current revision is in its body, which is opened for what is approved alone.
absl::StatusOr<Known> LicenceOf(const CatalogReader& reader, const UpdateStanding& standing) {
  ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(standing.current->key));
  ASSIGN_OR_RETURN(const v1::Revision revision, UnpackRevision(record));
  if (revision.licence().empty()) return Known::kYes;
  for (const StandingDecision& decision : standing.decisions) {
    if (decision.decision.key() == kLicenceKey) return Known::kYes;
  }
  return Known::kNo;
}

absl::Status TakeSupersedence(const CatalogReader& reader, const UpdateStanding& standing,
                              PlaceFacts& facts) {
  facts.superseded = KnownIf(standing.expiry.has_value());
  if (!standing.expiry.has_value()) return absl::OkStatus();
  facts.superseded_by =
      absl::StrCat("it is expired at its source: ", standing.expiry->header.title());
  ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(standing.expiry->key));
  ASSIGN_OR_RETURN(const v1::Expiry expiry, UnpackExpiry(record));
  if (expiry.successor_id().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Uuid successor, Uuid::FromBytes(expiry.successor_id()));
  const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(successor);
  absl::StrAppend(&facts.superseded_by, "; it was replaced by ",
                  current.ok() ? current->header.title() : successor.ToString());
  return absl::OkStatus();
}

absl::Status TakeFiles(const CatalogReader& reader, const WantedFiles& wanted,
                       const std::function<bool(const ContentInfo&)>& present, PlaceFacts& facts) {
  facts.closure = KnownIf(wanted.absent.empty());
  for (const Uuid& id : wanted.absent) facts.absent.push_back(id.ToString());
  facts.files = static_cast<int>(wanted.files.size());
  for (const stored::v1::FileReference& file : wanted.files) {
    ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
    if (present({digest, file.size_bytes()})) continue;
    ++facts.files_missing;
    if (!facts.content_failure.reason().empty()) continue;
    ASSIGN_OR_RETURN(facts.content_failure, ContentFailureOf(reader, digest));
  }
  facts.content = KnownIf(facts.files_missing == 0);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::ItemStatus> ContentFailureOf(const CatalogReader& reader, const Digest& file) {
  const absl::StatusOr<stored::v1::ContentRow> row =
      reader.GetRow<stored::v1::ContentRow>(Family::kContent, file.view());
  if (absl::IsNotFound(row.status())) return v1::ItemStatus();
  if (!row.ok()) return row.status();
  return row->state() == v1::CONTENT_STATE_FAILED ? row->last_failure() : v1::ItemStatus();
}

absl::StatusOr<PlaceFacts> OwnPlace(const CatalogReader& reader, const Uuid& update_id,
                                    const Selection& selection,
                                    const std::function<bool(const ContentInfo&)>& present,
                                    absl::Time now) {
  PlaceFacts facts;
  ASSIGN_OR_RETURN(facts.root, IsRoot(reader));
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  facts.upstream_name = above.node_name();
  ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, update_id));
  TakeDecisions(standing, facts);
  ASSIGN_OR_RETURN(facts.notice, HeldBack(reader, update_id, now));
  facts.held_back = KnownIf(facts.notice.has_value());
  facts.metadata = KnownIf(standing.current.has_value());
  if (!standing.current.has_value()) {
    ASSIGN_OR_RETURN(facts.metadata_failure, MetadataFailureOf(reader, update_id));
    if (facts.root) facts.taken = Taken::kTaken;
    // Something of it came once.
    if (!facts.metadata_failure.reason().empty()) {
      facts.taken = Taken::kTaken;
      facts.upstream_has_it = Known::kYes;
    }
    return facts;
  }
  facts.taken = Taken::kTaken;
  facts.upstream_has_it = KnownIf(!standing.current->key.kept());
  RETURN_IF_ERROR(TakeSupersedence(reader, standing, facts));
  if (!standing.approved()) return facts;
  ASSIGN_OR_RETURN(facts.licence, LicenceOf(reader, standing));
  ASSIGN_OR_RETURN(const WantedFiles wanted, FilesWantedFor(reader, update_id, selection));
  RETURN_IF_ERROR(TakeFiles(reader, wanted, present, facts));
  return facts;
}

}  // namespace sluice
