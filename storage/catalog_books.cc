// The books of a commit: rows, log, shards and members, kept in step record by record.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/audit_chain.h"
#include "storage/catalog_commit.h"
#include "storage/catalog_keys.h"
#include "storage/file_release.h"
#include "storage/payload_columns.h"

namespace sluice {

CatalogCommit::CatalogCommit(std::shared_ptr<const OrderedView> base, stored::v1::StoreState state,
                             bool free_files)
    : view_(std::make_shared<OverlayView>(std::move(base))),
      reader_(view_),
      state_(std::move(state)),
      free_files_(free_files) {}

Uuid CatalogCommit::self() const { return Uuid::FromBytes(state_.node_id()).value_or(Uuid()); }

uint64_t CatalogCommit::NextSeq() {
  logged_ = true;
  state_.set_head_seq(state_.head_seq() + 1);
  return state_.head_seq();
}

v1::Stamp CatalogCommit::NextStamp() {
  state_.set_origin_version(state_.origin_version() + 1);
  return Stamp{state_.epoch().counter(), state_.origin_version(), self()}.ToProto();
}

absl::StatusOr<std::optional<CheckedRecord>> CatalogCommit::Load(const RecordKey& key) const {
  const absl::StatusOr<std::string> value = view_->Get(Family::kRecords, key.Encode());
  if (absl::IsNotFound(value.status())) return std::optional<CheckedRecord>();
  if (!value.ok()) return value.status();
  CheckedRecord stored;
  ASSIGN_OR_RETURN(stored.record, DecodeRecord(key, *value));
  ASSIGN_OR_RETURN(stored.header, DecodeHeader(*value));
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(stored.record.shard_id()));
  const auto touched = shards_.find(shard);
  if (touched != shards_.end()) {
    stored.shard = touched->second.definition();
  } else {
    ASSIGN_OR_RETURN(const ShardInfo info, reader_.Shard(shard));
    stored.shard = info.definition;
  }
  return std::optional<CheckedRecord>(std::move(stored));
}

absl::StatusOr<std::vector<RecordColumns>> CatalogCommit::RevisionRows(const RecordKey& key) const {
  RecordKey first = key;
  first.revision = 1;
  const std::string encoded = first.Encode();
  const std::string prefix = encoded.substr(0, 1 + Uuid::kSizeBytes);
  std::vector<RecordColumns> rows;
  const auto cursor = view_->Scan(Family::kRecords, prefix, PrefixEnd(prefix));
  for (; cursor->Valid(); cursor->Next()) {
    RecordColumns columns;
    ASSIGN_OR_RETURN(columns.key, RecordKey::Decode(cursor->key()));
    if (columns.key.kept_by != key.kept_by) continue;
    ASSIGN_OR_RETURN(columns.header, DecodeHeader(cursor->value()));
    rows.push_back(std::move(columns));
  }
  RETURN_IF_ERROR(cursor->status());
  return rows;
}

absl::Status CatalogCommit::Store(const RecordKey& key, CheckedRecord record) {
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(record.record.shard_id()));
  ASSIGN_OR_RETURN(const std::optional<CheckedRecord> before, Load(key));
  if (before.has_value()) {
    RETURN_IF_ERROR(Unlist(key, *before));
    if (before->record.shard_id() != record.record.shard_id()) {
      RETURN_IF_ERROR(LogLeft(key, *before));
    }
  }
  RETURN_IF_ERROR(ForgetLeft(key, shard));
  ASSIGN_OR_RETURN(stored::v1::ShardRow* const row, ShardRowOf(shard, record.shard));

  const uint64_t seq = NextSeq();
  CopyClearFields(record.record, record.header);
  record.header.set_seq(seq);
  view_->Put(Family::kRecords, key.Encode(), EncodeStored(record.header, record.record.body()));
  stored::v1::LogEntry entry;
  entry.set_record_key(key.Encode());
  entry.set_shard_id(shard.bytes());
  view_->Put(Family::kLog, EncodeSeq(seq), entry.SerializeAsString());
  outcome_.changed.push_back(key);
  if (record.record.state() != v1::RECORD_STATE_PRESENT) return absl::OkStatus();

  ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(record.record.digest()));
  ASSIGN_OR_RETURN(const Stamp stamp, Stamp::FromProto(record.record.stamp()));
  ASSIGN_OR_RETURN(Fingerprint fingerprint, Fingerprint::FromProto(row->fingerprint()));
  fingerprint.Add(digest);
  *row->mutable_fingerprint() = fingerprint.ToProto();
  view_->Put(Family::kShardMembers, MemberKey(shard, key), EncodeMember(digest.view(), stamp));
  for (const stored::v1::FileReference& file : record.header.files()) {
    view_->Put(Family::kFileUses, FileUseKey(file.sha256(), key), "");
  }
  // A notice names its update, and does not need it.
  if (key.kind != v1::RECORD_KIND_REVISION) return absl::OkStatus();
  for (const std::string& needed : record.header.depends_on()) {
    view_->Put(Family::kDependents, DependentKey(needed, key), "");
  }
  return absl::OkStatus();
}

absl::Status CatalogCommit::Remove(const RecordKey& key, const CheckedRecord& stored) {
  RETURN_IF_ERROR(Unlist(key, stored));
  view_->Delete(Family::kRecords, key.Encode());
  outcome_.changed.push_back(key);
  return LogLeft(key, stored);
}

// Takes a stored record out of the log, its shard and the file uses; its row stays.
absl::Status CatalogCommit::Unlist(const RecordKey& key, const CheckedRecord& stored) {
  view_->Delete(Family::kLog, EncodeSeq(stored.header.seq()));
  if (stored.record.state() != v1::RECORD_STATE_PRESENT) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(stored.record.shard_id()));
  ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(stored.record.digest()));
  ASSIGN_OR_RETURN(stored::v1::ShardRow* const row, ShardRowOf(shard, stored.shard));
  ASSIGN_OR_RETURN(Fingerprint fingerprint, Fingerprint::FromProto(row->fingerprint()));
  fingerprint.Subtract(digest);
  *row->mutable_fingerprint() = fingerprint.ToProto();
  view_->Delete(Family::kShardMembers, MemberKey(shard, key));
  for (const stored::v1::FileReference& file : stored.header.files()) {
    view_->Delete(Family::kFileUses, FileUseKey(file.sha256(), key));
    if (free_files_) unlisted_files_.insert(file.sha256());
  }
  if (key.kind != v1::RECORD_KIND_REVISION) return absl::OkStatus();
  for (const std::string& needed : stored.header.depends_on()) {
    view_->Delete(Family::kDependents, DependentKey(needed, key));
  }
  return absl::OkStatus();
}

absl::Status CatalogCommit::LogLeft(const RecordKey& key, const CheckedRecord& stored) {
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(stored.record.shard_id()));
  RETURN_IF_ERROR(ForgetLeft(key, shard));
  RETURN_IF_ERROR(ShardRowOf(shard, stored.shard).status());
  const uint64_t seq = NextSeq();
  stored::v1::LogEntry entry;
  entry.set_record_key(key.Encode());
  entry.set_shard_id(shard.bytes());
  entry.set_left(true);
  entry.set_digest(stored.record.digest());
  view_->Put(Family::kLog, EncodeSeq(seq), entry.SerializeAsString());
  view_->Put(Family::kLogPosition, LogPositionKey(key, shard), EncodeSeq(seq));
  return absl::OkStatus();
}

// The log holds one entry for a key and a shard: an earlier word that it left is replaced by what
// comes now.
absl::Status CatalogCommit::ForgetLeft(const RecordKey& key, const ShardId& shard) {
  const std::string position = LogPositionKey(key, shard);
  const absl::StatusOr<std::string> seq = view_->Get(Family::kLogPosition, position);
  if (absl::IsNotFound(seq.status())) return absl::OkStatus();
  if (!seq.ok()) return seq.status();
  view_->Delete(Family::kLog, *seq);
  view_->Delete(Family::kLogPosition, position);
  return absl::OkStatus();
}

absl::StatusOr<stored::v1::ShardRow*> CatalogCommit::ShardRowOf(
    const ShardId& id, const v1::ShardDefinition& definition) {
  const auto touched = shards_.find(id);
  if (touched != shards_.end()) return &touched->second;
  absl::StatusOr<stored::v1::ShardRow> row =
      reader_.GetRow<stored::v1::ShardRow>(Family::kShards, id.view());
  if (absl::IsNotFound(row.status())) {
    row = stored::v1::ShardRow();
    *row->mutable_definition() = definition;
  }
  if (!row.ok()) return row.status();
  ASSIGN_OR_RETURN(before_[id], Fingerprint::FromProto(row->fingerprint()));
  return &shards_.emplace(id, *std::move(row)).first->second;
}

std::vector<ShardStep> CatalogCommit::ShardSteps() const {
  std::vector<ShardStep> steps;
  for (const auto& [id, row] : shards_) {
    const absl::StatusOr<Fingerprint> after = Fingerprint::FromProto(row.fingerprint());
    const Fingerprint& before = before_.at(id);
    if (after.ok() && *after != before) steps.push_back({id, row.definition(), before, *after});
  }
  return steps;
}

absl::Status CatalogCommit::NoteFreedFiles() {
  for (const std::string& file : unlisted_files_) {
    const auto uses = view_->Scan(Family::kFileUses, file, PrefixEnd(file));
    const bool used = uses->Valid();
    RETURN_IF_ERROR(uses->status());
    if (used) continue;
    view_->Put(Family::kSettings, ReleaseNoteKey(file), "");
    ++outcome_.freed_files;
  }
  return absl::OkStatus();
}

absl::StatusOr<WriteSet> CatalogCommit::Finish(const CatalogChange& asked) {
  RETURN_IF_ERROR(NoteFreedFiles());
  const WriteSet& rows = asked.rows();
  for (const auto& [id, row] : shards_) {
    view_->Put(Family::kShards, id.view(), row.SerializeAsString());
  }
  for (const WriteSet::Change& change : rows.changes()) {
    if (change.value.has_value()) {
      view_->Put(change.family, change.key, *change.value);
    } else {
      view_->Delete(change.family, change.key);
    }
  }
  for (v1::AuditEntry entry : asked.audit()) {
    LinkAuditEntry(entry, state_);
    view_->Put(Family::kAudit, EncodeSeq(entry.entry_id()), entry.SerializeAsString());
  }
  if (!logged_ && rows.empty() && asked.audit().empty()) return WriteSet();
  Hasher hasher;
  hasher.Update(state_.running_hash());
  WriteSet written = view_->Changes();
  for (const WriteSet::Change& change : written.changes()) {
    hasher.Update(FamilyName(change.family)).Update(change.key).Update(change.value.value_or(""));
  }
  state_.set_running_hash(hasher.Finish().bytes());
  state_.set_commits(state_.commits() + 1);
  written.Put(Family::kState, kStateKey, state_.SerializeAsString());
  outcome_.head_seq = state_.head_seq();
  return written;
}

}  // namespace sluice
