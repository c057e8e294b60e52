#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/catalog.h"
#include "storage/catalog_keys.h"
#include "storage/merge.h"

namespace sluice {
namespace {

constexpr char kKeptBit = '\x80';

// The smallest key that is larger than `key`.
std::string After(absl::string_view key) { return absl::StrCat(key, absl::string_view("\0", 1)); }

std::string KindPrefix(v1::RecordKind kind, bool kept) {
  const char byte = static_cast<char>(kind);
  return std::string(1, kept ? static_cast<char>(byte | kKeptBit) : byte);
}

absl::Status Absent(v1::Reason reason, const RecordKey& key, absl::string_view what) {
  return MakeError(reason, absl::StrCat(key.ToString(), " ", what));
}

}  // namespace

CatalogReader::CatalogReader(std::shared_ptr<const OrderedView> view) : view_(std::move(view)) {}

absl::StatusOr<stored::v1::StoreState> CatalogReader::State() const {
  return GetRow<stored::v1::StoreState>(Family::kState, kStateKey);
}

absl::StatusOr<v1::Record> CatalogReader::GetRecord(const RecordKey& key) const {
  const absl::StatusOr<std::string> value = view_->Get(Family::kRecords, key.Encode());
  if (absl::IsNotFound(value.status())) {
    return Absent(v1::REASON_ITEM_NOT_FOUND, key, "is not here");
  }
  if (!value.ok()) return value.status();
  ASSIGN_OR_RETURN(v1::Record record, DecodeRecord(key, *value));
  if (record.state() == v1::RECORD_STATE_TOMBSTONE) {
    return Absent(v1::REASON_ITEM_PURGED, key, "was deleted");
  }
  return record;
}

absl::StatusOr<RecordColumns> CatalogReader::GetColumns(const RecordKey& key) const {
  const absl::StatusOr<std::string> value = view_->Get(Family::kRecords, key.Encode());
  if (absl::IsNotFound(value.status())) {
    return Absent(v1::REASON_ITEM_NOT_FOUND, key, "is not here");
  }
  if (!value.ok()) return value.status();
  RecordColumns columns;
  columns.key = key;
  ASSIGN_OR_RETURN(columns.header, DecodeHeader(*value));
  if (columns.header.state() == v1::RECORD_STATE_TOMBSTONE) {
    return Absent(v1::REASON_ITEM_PURGED, key, "was deleted");
  }
  return columns;
}

absl::StatusOr<std::optional<ShardId>> CatalogReader::TombstoneShard(const RecordKey& key) const {
  const absl::StatusOr<std::string> value = view_->Get(Family::kRecords, key.Encode());
  if (absl::IsNotFound(value.status())) return std::optional<ShardId>();
  if (!value.ok()) return value.status();
  ASSIGN_OR_RETURN(const stored::v1::RecordHeader header, DecodeHeader(*value));
  if (header.state() != v1::RECORD_STATE_TOMBSTONE) return std::optional<ShardId>();
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(header.shard_id()));
  return std::optional<ShardId>(shard);
}

absl::StatusOr<std::vector<Uuid>> CatalogReader::RevisedUpdates() const {
  std::vector<Uuid> updates;
  std::string last;
  const std::string prefix = KindPrefix(v1::RECORD_KIND_REVISION, false);
  const auto cursor = view_->Scan(Family::kRecords, prefix, PrefixEnd(prefix));
  for (; cursor->Valid(); cursor->Next()) {
    const absl::string_view id = cursor->key().substr(1, Uuid::kSizeBytes);
    if (id != last) {
      last = std::string(id);
      continue;
    }
    ASSIGN_OR_RETURN(Uuid update, Uuid::FromBytes(id));
    if (updates.empty() || updates.back() != update) updates.push_back(std::move(update));
  }
  RETURN_IF_ERROR(cursor->status());
  return updates;
}

absl::StatusOr<bool> CatalogReader::WasPurged(const Uuid& update_id,
                                              absl::string_view digest) const {
  const std::string prefix =
      absl::StrCat(KindPrefix(v1::RECORD_KIND_REVISION, false), update_id.view());
  bool purged = false;
  const auto cursor = view_->Scan(Family::kRecords, prefix, PrefixEnd(prefix));
  for (; cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const stored::v1::RecordHeader header, DecodeHeader(cursor->value()));
    if (header.state() == v1::RECORD_STATE_PRESENT) return false;
    purged |= header.digest() == digest;
  }
  RETURN_IF_ERROR(cursor->status());
  return purged;
}

absl::StatusOr<std::vector<RecordColumns>> CatalogReader::Revisions(const Uuid& update_id) const {
  struct Found {
    Stamp stamp;
    RecordColumns columns;
  };
  std::vector<Found> found;
  for (const bool kept : {false, true}) {
    const std::string prefix =
        absl::StrCat(KindPrefix(v1::RECORD_KIND_REVISION, kept), update_id.view());
    const auto cursor = view_->Scan(Family::kRecords, prefix, PrefixEnd(prefix));
    for (; cursor->Valid(); cursor->Next()) {
      Found revision;
      ASSIGN_OR_RETURN(revision.columns.key, RecordKey::Decode(cursor->key()));
      ASSIGN_OR_RETURN(revision.columns.header, DecodeHeader(cursor->value()));
      if (revision.columns.header.state() != v1::RECORD_STATE_PRESENT) continue;
      ASSIGN_OR_RETURN(revision.stamp, Stamp::FromProto(revision.columns.header.stamp()));
      found.push_back(std::move(revision));
    }
    RETURN_IF_ERROR(cursor->status());
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return a.stamp < b.stamp; });
  std::vector<RecordColumns> revisions;
  revisions.reserve(found.size());
  for (Found& revision : found) revisions.push_back(std::move(revision.columns));
  return revisions;
}

absl::StatusOr<RecordColumns> CatalogReader::CurrentRevision(const Uuid& update_id) const {
  ASSIGN_OR_RETURN(std::vector<RecordColumns> revisions, Revisions(update_id));
  if (revisions.empty()) {
    return MakeError(v1::REASON_ITEM_NOT_FOUND,
                     absl::StrCat("update ", update_id.ToString(), " is not here"));
  }
  return std::move(revisions.back());
}

absl::StatusOr<std::vector<v1::DecisionEntry>> CatalogReader::Decisions(
    const Uuid& update_id) const {
  std::vector<v1::DecisionEntry> decisions;
  for (const bool kept : {false, true}) {
    const std::string prefix =
        absl::StrCat(KindPrefix(v1::RECORD_KIND_POLICY, kept), update_id.view());
    const auto cursor = view_->Scan(Family::kRecords, prefix, PrefixEnd(prefix));
    for (; cursor->Valid(); cursor->Next()) {
      ASSIGN_OR_RETURN(const stored::v1::RecordHeader header, DecodeHeader(cursor->value()));
      if (header.state() != v1::RECORD_STATE_PRESENT) continue;
      for (const v1::DecisionEntry& entry : header.decisions()) {
        // The newer word counts: a kept decision that the upstream lost stands until it decides
        // anew.
        const auto known = std::find_if(
            decisions.begin(), decisions.end(),
            [&entry](const v1::DecisionEntry& other) { return other.key() == entry.key(); });
        if (known == decisions.end()) {
          decisions.push_back(entry);
        } else if (IsNewerStamp(entry.stamp(), known->stamp())) {
          *known = entry;
        }
      }
    }
    RETURN_IF_ERROR(cursor->status());
  }
  std::sort(
      decisions.begin(), decisions.end(),
      [](const v1::DecisionEntry& a, const v1::DecisionEntry& b) { return a.key() < b.key(); });
  return decisions;
}

absl::StatusOr<std::vector<RecordColumns>> CatalogReader::List(v1::RecordKind kind,
                                                               absl::string_view after,
                                                               int max) const {
  std::vector<RecordColumns> found;
  for (const bool kept : {false, true}) {
    const std::string prefix = KindPrefix(kind, kept);
    const std::string from = after < prefix ? prefix : After(after);
    const auto cursor = view_->Scan(Family::kRecords, from, PrefixEnd(prefix));
    for (; cursor->Valid() && static_cast<int>(found.size()) < max; cursor->Next()) {
      RecordColumns columns;
      ASSIGN_OR_RETURN(columns.key, RecordKey::Decode(cursor->key()));
      ASSIGN_OR_RETURN(columns.header, DecodeHeader(cursor->value()));
      if (columns.header.state() == v1::RECORD_STATE_PRESENT) found.push_back(std::move(columns));
    }
    RETURN_IF_ERROR(cursor->status());
  }
  return found;
}

absl::StatusOr<CatalogReader::LogSlice> CatalogReader::ReadLog(uint64_t after,
                                                               const WantedEntry& wanted, int max,
                                                               int scan_max) const {
  LogSlice slice;
  slice.scanned_to = after;
  const auto cursor = view_->Scan(Family::kLog, EncodeSeq(after + 1), "");
  int scanned = 0;
  for (; cursor->Valid(); cursor->Next()) {
    if (static_cast<int>(slice.changes.size()) == max || scanned == scan_max) return slice;
    ++scanned;
    LoggedChange change;
    stored::v1::LogEntry entry;
    ASSIGN_OR_RETURN(change.seq, DecodeSeq(cursor->key()));
    if (!entry.ParseFromArray(cursor->value().data(), static_cast<int>(cursor->value().size()))) {
      return DamagedRow(Family::kLog, cursor->key());
    }
    slice.scanned_to = change.seq;
    ASSIGN_OR_RETURN(change.shard, ShardId::FromBytes(entry.shard_id()));
    if (!wanted(change.shard, entry.record_key())) continue;
    ASSIGN_OR_RETURN(change.key, RecordKey::Decode(entry.record_key()));
    change.left = entry.left();
    if (change.left) {
      ASSIGN_OR_RETURN(change.digest, Digest::FromBytes(entry.digest()));
    } else {
      ASSIGN_OR_RETURN(const std::string value, view_->Get(Family::kRecords, entry.record_key()));
      ASSIGN_OR_RETURN(change.record, DecodeRecord(change.key, value));
    }
    slice.changes.push_back(std::move(change));
  }
  RETURN_IF_ERROR(cursor->status());
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, State());
  slice.scanned_to = std::max(after, state.head_seq());
  slice.at_head = true;
  return slice;
}

absl::StatusOr<std::vector<ShardInfo>> CatalogReader::Shards() const {
  ASSIGN_OR_RETURN(std::vector<ShardInfo> shards, ShardsEverUsed());
  std::erase_if(shards, [](const ShardInfo& shard) { return shard.fingerprint.count() == 0; });
  return shards;
}

absl::StatusOr<std::vector<ShardInfo>> CatalogReader::ShardsEverUsed() const {
  std::vector<ShardInfo> shards;
  const auto cursor = view_->Scan(Family::kShards, "", "");
  for (; cursor->Valid(); cursor->Next()) {
    ShardInfo shard;
    ASSIGN_OR_RETURN(shard.id, ShardId::FromBytes(cursor->key()));
    stored::v1::ShardRow row;
    if (!row.ParseFromArray(cursor->value().data(), static_cast<int>(cursor->value().size()))) {
      return DamagedRow(Family::kShards, cursor->key());
    }
    ASSIGN_OR_RETURN(shard.fingerprint, Fingerprint::FromProto(row.fingerprint()));
    shard.definition = std::move(*row.mutable_definition());
    shards.push_back(std::move(shard));
  }
  RETURN_IF_ERROR(cursor->status());
  return shards;
}

absl::StatusOr<ShardInfo> CatalogReader::Shard(const ShardId& id) const {
  ASSIGN_OR_RETURN(stored::v1::ShardRow row,
                   GetRow<stored::v1::ShardRow>(Family::kShards, id.view()));
  ShardInfo shard;
  shard.id = id;
  ASSIGN_OR_RETURN(shard.fingerprint, Fingerprint::FromProto(row.fingerprint()));
  shard.definition = std::move(*row.mutable_definition());
  return shard;
}

absl::StatusOr<std::vector<ShardMember>> CatalogReader::Members(const ShardId& id,
                                                                absl::string_view after,
                                                                int max) const {
  std::vector<ShardMember> members;
  const std::string from = after.empty() ? id.bytes() : After(absl::StrCat(id.view(), after));
  const auto cursor = view_->Scan(Family::kShardMembers, from, PrefixEnd(id.view()));
  for (; cursor->Valid() && static_cast<int>(members.size()) < max; cursor->Next()) {
    ASSIGN_OR_RETURN(ShardMember member, DecodeMember(cursor->key(), cursor->value()));
    members.push_back(std::move(member));
  }
  RETURN_IF_ERROR(cursor->status());
  return members;
}

absl::StatusOr<std::vector<RecordKey>> CatalogReader::FileUses(const Digest& file) const {
  std::vector<RecordKey> uses;
  const auto cursor = view_->Scan(Family::kFileUses, file.view(), PrefixEnd(file.view()));
  for (; cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(RecordKey key, RecordKey::Decode(cursor->key().substr(Digest::kSizeBytes)));
    uses.push_back(std::move(key));
  }
  RETURN_IF_ERROR(cursor->status());
  return uses;
}

absl::StatusOr<std::optional<v1::Cursor>> CatalogReader::GetCursor(const Uuid& upstream_id) const {
  absl::StatusOr<v1::Cursor> cursor = GetRow<v1::Cursor>(Family::kCursors, upstream_id.view());
  if (absl::IsNotFound(cursor.status())) return std::optional<v1::Cursor>();
  if (!cursor.ok()) return cursor.status();
  return std::optional<v1::Cursor>(*std::move(cursor));
}

absl::StatusOr<std::string> CatalogReader::GetRowBytes(Family family, absl::string_view key) const {
  return view_->Get(family, key);
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> CatalogReader::ListRowBytes(
    Family family, absl::string_view after, absl::string_view until, int max) const {
  std::vector<std::pair<std::string, std::string>> rows;
  const auto cursor = view_->Scan(family, after.empty() ? "" : After(after), until);
  for (; cursor->Valid() && static_cast<int>(rows.size()) < max; cursor->Next()) {
    rows.emplace_back(std::string(cursor->key()), std::string(cursor->value()));
  }
  RETURN_IF_ERROR(cursor->status());
  return rows;
}

absl::Status CatalogReader::DamagedRow(Family family, absl::string_view key) {
  return MakeError(v1::REASON_STORE_CORRUPT,
                   absl::StrCat("row ", absl::BytesToHexString(key.substr(0, 64)), " in ",
                                FamilyName(family), " cannot be read"));
}

}  // namespace sluice
