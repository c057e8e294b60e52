#include "upstream/importer.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/payload.h"
#include "storage/seq_times.h"
#include "upstream/debian/version_order.h"
#include "upstream/supersedence.h"

namespace sluice {
namespace {

constexpr size_t kOpsPerCommit = 512;
constexpr size_t kRowsPerCommit = 8 * kOpsPerCommit;

absl::StatusOr<stored::v1::SourceState> ReadSourceState(const CatalogReader& reader,
                                                        const std::string& name) {
  absl::StatusOr<stored::v1::SourceState> state =
      reader.GetRow<stored::v1::SourceState>(Family::kSources, name);
  if (absl::IsNotFound(state.status())) return stored::v1::SourceState();
  return state;
}

// Sorted and without doubles.
using Ids = std::vector<Uuid>;

void Sort(Ids& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

bool Contains(const Ids& ids, const Uuid& id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

void AddSplitIds(absl::string_view joined, Ids& ids) {
  for (size_t i = 0; i + Uuid::kSizeBytes <= joined.size(); i += Uuid::kSizeBytes) {
    ids.push_back(*Uuid::FromBytes(joined.substr(i, Uuid::kSizeBytes)));
  }
}

// The newest update of each source package that is offered.
class NewestBySource {
 public:
  void Add(const v1::Revision& revision) {
    std::string source = DebianSourceOf(revision);
    if (source.empty()) return;
    const auto [found, is_first] = newest_.try_emplace(std::move(source));
    const std::string& version = revision.debian().source_version();
    if (!is_first && debian::CompareVersions(found->second.version, version) >= 0) return;
    found->second = {version, revision.update_id()};
  }

  // The id of what replaced a vanished update; empty when nothing newer is offered.
  std::string SuccessorOf(const v1::Revision& vanished) const {
    const auto found = newest_.find(DebianSourceOf(vanished));
    if (found == newest_.end()) return "";
    const int order =
        debian::CompareVersions(vanished.debian().source_version(), found->second.version);
    return order < 0 ? found->second.update_id : "";
  }

 private:
  struct Newest {
    std::string version;
    std::string update_id;
  };
  absl::flat_hash_map<std::string, Newest> newest_;
};

// What all other sources offer.
absl::StatusOr<Ids> OfferedElsewhere(const CatalogReader& reader, const std::string& source) {
  constexpr int kSourcesMax = 10'000;
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<stored::v1::SourceState>(Family::kSources, "", "", kSourcesMax));
  Ids ids;
  for (const auto& [name, state] : rows) {
    if (name != source) AddSplitIds(state.update_ids(), ids);
  }
  Sort(ids);
  return ids;
}

// One import, from the first part to the row that says what was seen.
class ImportRun {
 public:
  ImportRun(Catalog& catalog, SessionLog& sessions, const stored::v1::SourceState& before,
            std::stop_token stop)
      : catalog_(catalog), sessions_(sessions), stop_(std::move(stop)) {
    AddSplitIds(before.update_ids(), before_);
    Sort(before_);
  }

  // Writes a part.
  absl::Status TakeIn(const SourceFacts& facts);
  // Writes what follows from all parts.
  absl::Status Finish(const std::string& source, const SourceReading& reading, absl::Time now);

 private:
  absl::Status EnterImport();
  // Files that only deleted updates name, among those that the last import saw.
  absl::StatusOr<absl::flat_hash_set<Digest>> FilesOfPurged(
      const std::vector<v1::Revision>& revisions) const;
  absl::Status WriteOrigins(const std::vector<FileOrigin>& files,
                            const absl::flat_hash_set<Digest>& purged);
  absl::Status WriteRevisions(const std::vector<v1::Revision>& revisions);
  // Marks what vanished from all sources as expired.
  absl::Status WriteExpiries(const std::string& source);
  absl::Status WriteExpiry(const CatalogReader& reader, const Uuid& update);
  // Takes the mark off what came back.
  absl::Status DeleteExpiries();
  absl::Status CommitIfFull();
  // Commits what was collected and counts what came of it.
  absl::Status Commit();

  Catalog& catalog_;
  SessionLog& sessions_;
  const std::stop_token stop_;
  Ids before_;   // What the last import saw.
  Ids present_;  // Sorted at the end.
  NewestBySource newest_;
  CatalogChange change_;
  size_t rows_ = 0;  // Of origins in `change_`.
  bool entered_ = false;
};

absl::Status ImportRun::EnterImport() {
  if (std::exchange(entered_, true)) return absl::OkStatus();
  return sessions_.Enter(v1::SYNC_PHASE_IMPORT);
}

absl::Status ImportRun::TakeIn(const SourceFacts& facts) {
  RETURN_IF_ERROR(EnterImport());
  for (const SourceProblem& problem : facts.problems) {
    sessions_.AddItem(problem.item, problem.status);
  }
  // Before the facts, so that whoever sees an update can have its files.
  ASSIGN_OR_RETURN(const absl::flat_hash_set<Digest> purged, FilesOfPurged(facts.revisions));
  RETURN_IF_ERROR(WriteOrigins(facts.files, purged));
  for (const v1::Category& category : facts.categories) {
    ASSIGN_OR_RETURN(CheckedRecord packed, PackCategory(category));
    change_.Originate(std::move(packed));
    RETURN_IF_ERROR(CommitIfFull());
  }
  return WriteRevisions(facts.revisions);
}

absl::StatusOr<absl::flat_hash_set<Digest>> ImportRun::FilesOfPurged(
    const std::vector<v1::Revision>& revisions) const {
  absl::flat_hash_set<Digest> files;
  if (before_.empty()) return files;
  const CatalogReader reader = catalog_.Read();
  absl::flat_hash_set<Digest> needed;
  for (const v1::Revision& revision : revisions) {
    const absl::StatusOr<Uuid> id = Uuid::FromBytes(revision.update_id());
    if (!id.ok()) continue;
    bool purged = Contains(before_, *id) && !reader.CurrentRevision(*id).ok();
    if (purged) {
      const absl::StatusOr<CheckedRecord> packed = PackRevision(revision, 0);
      if (!packed.ok()) continue;
      ASSIGN_OR_RETURN(purged, reader.WasPurged(*id, packed->record.digest()));
    }
    for (const v1::UpdateFile& file : revision.files()) {
      const absl::StatusOr<Digest> digest = Digest::FromBytes(file.sha256());
      if (digest.ok()) (purged ? files : needed).insert(*digest);
    }
  }
  absl::erase_if(files, [&needed](const Digest& file) { return needed.contains(file); });
  return files;
}

absl::Status ImportRun::WriteOrigins(const std::vector<FileOrigin>& files,
                                     const absl::flat_hash_set<Digest>& purged) {
  const CatalogReader reader = catalog_.Read();
  for (const FileOrigin& file : files) {
    if (purged.contains(file.digest)) continue;
    const absl::StatusOr<stored::v1::ContentOrigin> known =
        reader.GetRow<stored::v1::ContentOrigin>(Family::kContentOrigins, file.digest.view());
    if (known.ok() && known->SerializeAsString() == file.origin.SerializeAsString()) continue;
    change_.PutRow(Family::kContentOrigins, file.digest.view(), file.origin);
    ++rows_;
    RETURN_IF_ERROR(CommitIfFull());
  }
  return absl::OkStatus();
}

absl::Status ImportRun::WriteRevisions(const std::vector<v1::Revision>& revisions) {
  for (const v1::Revision& revision : revisions) {
    if (stop_.stop_requested()) return MakeError(v1::REASON_CANCELLED, "cancelled by an operator");
    const absl::StatusOr<Uuid> id = Uuid::FromBytes(revision.update_id());
    if (id.ok()) present_.push_back(*id);
    // Only what was there before can have a successor.
    if (!before_.empty()) newest_.Add(revision);
    absl::StatusOr<CheckedRecord> packed = PackRevision(revision, 0);
    if (!packed.ok()) {
      sessions_.AddItem(revision.texts().empty() ? "an update" : revision.texts(0).title(),
                        packed.status());
      continue;
    }
    change_.Import(*std::move(packed));
    RETURN_IF_ERROR(CommitIfFull());
  }
  return absl::OkStatus();
}

absl::Status ImportRun::Finish(const std::string& source, const SourceReading& reading,
                               absl::Time now) {
  RETURN_IF_ERROR(EnterImport());
  Sort(present_);
  RETURN_IF_ERROR(Commit());
  if (!reading.incomplete) RETURN_IF_ERROR(WriteExpiries(source));
  RETURN_IF_ERROR(DeleteExpiries());
  RETURN_IF_ERROR(Commit());

  // Last: an import that was broken off begins again from the state before.
  stored::v1::SourceState state;
  state.set_state(reading.state);
  // What an incomplete reading lacks is looked for by the next complete one.
  if (reading.incomplete) {
    present_.insert(present_.end(), before_.begin(), before_.end());
    Sort(present_);
  }
  std::string& ids = *state.mutable_update_ids();
  ids.reserve(present_.size() * Uuid::kSizeBytes);
  for (const Uuid& id : present_) ids.append(id.view().data(), id.view().size());
  *state.mutable_last_success() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
  CatalogChange change;
  change.PutRow(Family::kSources, source, state);
  RETURN_IF_ERROR(NoteSeqTime(catalog_.Read(), now, change));
  return catalog_.Commit(change).status();
}

absl::Status ImportRun::WriteExpiries(const std::string& source) {
  Ids vanished;
  std::set_difference(before_.begin(), before_.end(), present_.begin(), present_.end(),
                      std::back_inserter(vanished));
  if (vanished.empty()) return absl::OkStatus();
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const Ids elsewhere, OfferedElsewhere(reader, source));
  for (const Uuid& update : vanished) {
    if (Contains(elsewhere, update)) continue;
    RETURN_IF_ERROR(WriteExpiry(reader, update));
    RETURN_IF_ERROR(CommitIfFull());
  }
  return absl::OkStatus();
}

absl::Status ImportRun::WriteExpiry(const CatalogReader& reader, const Uuid& update) {
  const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update);
  if (!current.ok()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(current->key));
  ASSIGN_OR_RETURN(const v1::Revision revision, UnpackRevision(record));
  v1::Expiry expiry;
  expiry.set_update_id(update.bytes());
  expiry.set_reason("no longer offered by its source");
  expiry.set_successor_id(newest_.SuccessorOf(revision));
  ASSIGN_OR_RETURN(CheckedRecord packed, PackExpiry(expiry, ShardOfRevision(revision)));
  change_.Originate(std::move(packed));
  return absl::OkStatus();
}

absl::Status ImportRun::DeleteExpiries() {
  const CatalogReader reader = catalog_.Read();
  for (const Uuid& update : present_) {
    if (Contains(before_, update)) continue;
    const RecordKey key = {v1::RECORD_KIND_EXPIRY, update, 0, {}};
    if (reader.GetColumns(key).ok()) change_.Delete(key);
    RETURN_IF_ERROR(CommitIfFull());
  }
  return absl::OkStatus();
}

absl::Status ImportRun::CommitIfFull() {
  const bool full = change_.ops().size() >= kOpsPerCommit || rows_ >= kRowsPerCommit;
  return full ? Commit() : absl::OkStatus();
}

absl::Status ImportRun::Commit() {
  if (change_.empty()) return absl::OkStatus();
  rows_ = 0;
  ASSIGN_OR_RETURN(const CommitOutcome outcome,
                   catalog_.Commit(std::exchange(change_, CatalogChange())));
  v1::SyncCounts& counts = *sessions_.session().mutable_counts();
  for (const RecordKey& key : outcome.changed) {
    if (key.kind == v1::RECORD_KIND_CATEGORY) counts.set_categories(counts.categories() + 1);
    if (key.kind == v1::RECORD_KIND_REVISION) counts.set_revisions(counts.revisions() + 1);
    if (key.kind == v1::RECORD_KIND_EXPIRY) counts.set_expiries(counts.expiries() + 1);
  }
  counts.set_deleted(counts.deleted() + outcome.deleted);
  return absl::OkStatus();
}

}  // namespace

absl::Status Importer::Import(UpdateSource& source, SessionLog& sessions, std::stop_token stop) {
  v1::Session& session = sessions.session();
  session.set_method(v1::SYNC_METHOD_IMPORT);
  ASSIGN_OR_RETURN(const stored::v1::SourceState before,
                   ReadSourceState(catalog_.Read(), source.name()));
  RETURN_IF_ERROR(sessions.Enter(v1::SYNC_PHASE_FETCH));
  session.set_from_seq(catalog_.durable_head());
  ImportRun run(catalog_, sessions, before, stop);
  const auto take_in = [&run](const SourceFacts& facts) { return run.TakeIn(facts); };
  ASSIGN_OR_RETURN(const SourceReading reading, source.Read(before.state(), take_in, stop));
  session.mutable_counts()->set_record_bytes(reading.fetched_bytes);
  if (reading.unchanged) {
    session.set_method(v1::SYNC_METHOD_NONE);
  } else {
    RETURN_IF_ERROR(run.Finish(source.name(), reading, clock_.Now()));
  }
  session.set_to_seq(catalog_.durable_head());
  return absl::OkStatus();
}

}  // namespace sluice
