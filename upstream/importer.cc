#include "upstream/importer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/payload.h"
#include "upstream/debian/version_order.h"

namespace sluice {
namespace {

constexpr size_t kOpsPerCommit = 512;

absl::StatusOr<stored::v1::SourceState> ReadSourceState(const CatalogReader& reader,
                                                        const std::string& name) {
  absl::StatusOr<stored::v1::SourceState> state =
      reader.GetRow<stored::v1::SourceState>(Family::kSources, name);
  if (absl::IsNotFound(state.status())) return stored::v1::SourceState();
  return state;
}

std::set<std::string> SplitIds(const std::string& joined) {
  std::set<std::string> ids;
  for (size_t i = 0; i + Uuid::kSizeBytes <= joined.size(); i += Uuid::kSizeBytes) {
    ids.insert(joined.substr(i, Uuid::kSizeBytes));
  }
  return ids;
}

// The ids of the updates that are offered; what has none is an item of its own that failed.
std::set<std::string> OfferedIds(const SourceCatalog& offered) {
  std::set<std::string> ids;
  for (const v1::Revision& revision : offered.revisions) {
    if (revision.update_id().size() == Uuid::kSizeBytes) ids.insert(revision.update_id());
  }
  return ids;
}

// What tells a Debian source package apart over its versions.
std::string SourceOf(const v1::Revision& revision) {
  const v1::DebianDetails& debian = revision.debian();
  if (debian.source_package().empty()) return "";
  return absl::StrCat(debian.origin(), "/", debian.codename(), "/", debian.source_package());
}

// The newest update of each source package that is offered.
using Newest = std::map<std::string, const v1::Revision*>;

Newest NewestBySource(const SourceCatalog& offered) {
  Newest newest;
  for (const v1::Revision& revision : offered.revisions) {
    const std::string source = SourceOf(revision);
    if (source.empty()) continue;
    const v1::Revision*& found = newest[source];
    if (found == nullptr || debian::CompareVersions(found->debian().source_version(),
                                                    revision.debian().source_version()) < 0) {
      found = &revision;
    }
  }
  return newest;
}

// The id of what replaced a vanished update; empty when nothing newer is offered.
std::string SuccessorOf(const v1::Revision& vanished, const Newest& newest) {
  const auto found = newest.find(SourceOf(vanished));
  if (found == newest.end()) return "";
  const int order = debian::CompareVersions(vanished.debian().source_version(),
                                            found->second->debian().source_version());
  return order < 0 ? found->second->update_id() : "";
}

// What all other sources offer.
absl::StatusOr<std::set<std::string>> OfferedElsewhere(const CatalogReader& reader,
                                                       const std::string& source) {
  constexpr int kSourcesMax = 10'000;
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<stored::v1::SourceState>(Family::kSources, "", "", kSourcesMax));
  std::set<std::string> ids;
  for (const auto& [name, state] : rows) {
    if (name != source) ids.merge(SplitIds(state.update_ids()));
  }
  return ids;
}

}  // namespace

absl::Status Importer::Import(UpdateSource& source, SessionLog& sessions, std::stop_token stop) {
  v1::Session& session = sessions.session();
  session.set_method(v1::SYNC_METHOD_IMPORT);
  ASSIGN_OR_RETURN(const stored::v1::SourceState before,
                   ReadSourceState(catalog_.Read(), source.name()));
  RETURN_IF_ERROR(sessions.Enter(v1::SYNC_PHASE_FETCH));
  session.set_from_seq(catalog_.durable_head());
  ASSIGN_OR_RETURN(const SourceCatalog offered, source.Read(before.state(), stop));
  session.mutable_counts()->set_record_bytes(offered.fetched_bytes);
  for (const SourceProblem& problem : offered.problems) {
    sessions.AddItem(problem.item, problem.status);
  }
  if (offered.unchanged) {
    session.set_method(v1::SYNC_METHOD_NONE);
    session.set_to_seq(catalog_.durable_head());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(sessions.Enter(v1::SYNC_PHASE_IMPORT));
  RETURN_IF_ERROR(Write(source, offered, sessions, stop));
  session.set_to_seq(catalog_.durable_head());
  return absl::OkStatus();
}

absl::Status Importer::Write(UpdateSource& source, const SourceCatalog& offered,
                             SessionLog& sessions, std::stop_token stop) {
  ASSIGN_OR_RETURN(const stored::v1::SourceState before,
                   ReadSourceState(catalog_.Read(), source.name()));
  RETURN_IF_ERROR(WriteOrigins(offered));
  RETURN_IF_ERROR(WriteFacts(offered, sessions, stop));
  const std::set<std::string> known = SplitIds(before.update_ids());
  RETURN_IF_ERROR(WriteExpiries(source, offered, known, sessions));

  // Last: an import that was broken off begins again from the state before.
  stored::v1::SourceState now;
  now.set_state(offered.state);
  std::set<std::string> ids = OfferedIds(offered);
  // What an incomplete reading lacks is looked for by the next complete one.
  if (offered.incomplete) ids.insert(known.begin(), known.end());
  for (const std::string& id : ids) now.mutable_update_ids()->append(id);
  *now.mutable_last_success() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  CatalogChange change;
  change.PutRow(Family::kSources, source.name(), now);
  return catalog_.Commit(change).status();
}

// Before the facts, so that whoever sees an update can have its files.
absl::Status Importer::WriteOrigins(const SourceCatalog& offered) {
  const CatalogReader reader = catalog_.Read();
  CatalogChange change;
  size_t rows = 0;
  for (const FileOrigin& file : offered.files) {
    const absl::StatusOr<stored::v1::ContentOrigin> known =
        reader.GetRow<stored::v1::ContentOrigin>(Family::kContentOrigins, file.digest.view());
    if (known.ok() && known->SerializeAsString() == file.origin.SerializeAsString()) continue;
    change.PutRow(Family::kContentOrigins, file.digest.view(), file.origin);
    if (++rows % (8 * kOpsPerCommit) != 0) continue;
    RETURN_IF_ERROR(catalog_.Commit(std::exchange(change, CatalogChange())).status());
  }
  return change.empty() ? absl::OkStatus() : catalog_.Commit(change).status();
}

absl::Status Importer::WriteFacts(const SourceCatalog& offered, SessionLog& sessions,
                                  std::stop_token stop) {
  CatalogChange change;
  for (const v1::Category& category : offered.categories) {
    ASSIGN_OR_RETURN(CheckedRecord packed, PackCategory(category));
    change.Originate(std::move(packed));
    if (change.ops().size() >= kOpsPerCommit) RETURN_IF_ERROR(Commit(change, sessions));
  }
  for (const v1::Revision& revision : offered.revisions) {
    if (stop.stop_requested()) return MakeError(v1::REASON_CANCELLED, "cancelled by an operator");
    absl::StatusOr<CheckedRecord> packed = PackRevision(revision, 0);
    if (!packed.ok()) {
      sessions.AddItem(revision.texts().empty() ? "an update" : revision.texts(0).title(),
                       packed.status());
      continue;
    }
    change.Originate(*std::move(packed));
    if (change.ops().size() >= kOpsPerCommit) RETURN_IF_ERROR(Commit(change, sessions));
  }
  return Commit(change, sessions);
}

absl::Status Importer::WriteExpiries(const UpdateSource& source, const SourceCatalog& offered,
                                     const std::set<std::string>& before, SessionLog& sessions) {
  const std::set<std::string> present = OfferedIds(offered);
  const Newest newest = NewestBySource(offered);
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::set<std::string> elsewhere, OfferedElsewhere(reader, source.name()));
  CatalogChange change;
  for (const std::string& id : before) {
    if (present.contains(id) || elsewhere.contains(id) || offered.incomplete) continue;
    ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(id));
    const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update);
    if (!current.ok()) continue;
    ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(current->key));
    ASSIGN_OR_RETURN(const v1::Revision revision, UnpackRevision(record));
    v1::Expiry expiry;
    expiry.set_update_id(id);
    expiry.set_reason("no longer offered by its source");
    expiry.set_successor_id(SuccessorOf(revision, newest));
    ASSIGN_OR_RETURN(CheckedRecord packed, PackExpiry(expiry, ShardOfRevision(revision)));
    change.Originate(std::move(packed));
    if (change.ops().size() >= kOpsPerCommit) RETURN_IF_ERROR(Commit(change, sessions));
  }
  for (const std::string& id : present) {
    if (before.contains(id)) continue;
    ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(id));
    const RecordKey key = {v1::RECORD_KIND_EXPIRY, update, 0, {}};
    if (reader.GetColumns(key).ok()) change.Delete(key);
  }
  return Commit(change, sessions);
}

// Commits what was collected, counts what came of it, and empties `change`.
absl::Status Importer::Commit(CatalogChange& change, SessionLog& sessions) {
  if (change.ops().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const CommitOutcome outcome,
                   catalog_.Commit(std::exchange(change, CatalogChange())));
  v1::SyncCounts& counts = *sessions.session().mutable_counts();
  for (const RecordKey& key : outcome.changed) {
    if (key.kind == v1::RECORD_KIND_CATEGORY) counts.set_categories(counts.categories() + 1);
    if (key.kind == v1::RECORD_KIND_REVISION) counts.set_revisions(counts.revisions() + 1);
    if (key.kind == v1::RECORD_KIND_EXPIRY) counts.set_expiries(counts.expiries() + 1);
  }
  counts.set_deleted(counts.deleted() + outcome.deleted);
  return absl::OkStatus();
}

}  // namespace sluice
