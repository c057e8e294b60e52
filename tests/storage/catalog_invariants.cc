#include "tests/storage/catalog_invariants.h"

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

absl::Status Broken(absl::string_view what) { return absl::InternalError(what); }

// What the records alone say.
struct Recomputed {
  std::map<ShardId, Fingerprint> shards;
  std::map<std::string, std::string> members;  // By member key.
  std::map<std::string, uint64_t> seqs;        // By record key.
  std::set<std::string> file_uses;
  std::set<std::string> dependents;
};

absl::StatusOr<Recomputed> Recompute(const CatalogReader& reader) {
  Recomputed books;
  const auto cursor = reader.view().Scan(Family::kRecords, "", "");
  for (; cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const RecordKey key, RecordKey::Decode(cursor->key()));
    ASSIGN_OR_RETURN(const stored::v1::RecordHeader header, DecodeHeader(cursor->value()));
    books.seqs[std::string(cursor->key())] = header.seq();
    if (header.state() != v1::RECORD_STATE_PRESENT) continue;
    ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(header.shard_id()));
    ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(header.digest()));
    ASSIGN_OR_RETURN(const Stamp stamp, Stamp::FromProto(header.stamp()));
    books.shards[shard].Add(digest);
    books.members[MemberKey(shard, key)] = EncodeMember(digest.view(), stamp);
    for (const stored::v1::FileReference& file : header.files()) {
      books.file_uses.insert(FileUseKey(file.sha256(), key));
    }
    if (key.kind != v1::RECORD_KIND_REVISION) continue;
    for (const std::string& needed : header.depends_on()) {
      books.dependents.insert(DependentKey(needed, key));
    }
  }
  RETURN_IF_ERROR(cursor->status());
  return books;
}

absl::Status CheckLog(const CatalogReader& reader, std::map<std::string, uint64_t> seqs) {
  std::set<std::pair<std::string, std::string>> seen;
  uint64_t last = 0;
  const auto cursor = reader.view().Scan(Family::kLog, "", "");
  for (; cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(last, DecodeSeq(cursor->key()));
    stored::v1::LogEntry entry;
    if (!entry.ParseFromString(std::string(cursor->value()))) return Broken("a damaged log entry");
    if (!seen.emplace(entry.record_key(), entry.shard_id()).second) {
      return Broken(absl::StrCat("seq ", last, ": a second entry for a key and a shard"));
    }
    ASSIGN_OR_RETURN(const RecordKey key, RecordKey::Decode(entry.record_key()));
    ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(entry.shard_id()));
    if (entry.left()) {
      const auto position = reader.view().Get(Family::kLogPosition, LogPositionKey(key, shard));
      if (!position.ok() || *position != cursor->key()) {
        return Broken(absl::StrCat("seq ", last, ": the left entry's position is wrong"));
      }
      continue;
    }
    const auto record = seqs.find(entry.record_key());
    if (record == seqs.end() || record->second != last) {
      return Broken(absl::StrCat("seq ", last, ": ", key.ToString(), " is not logged there"));
    }
    seqs.erase(record);
  }
  RETURN_IF_ERROR(cursor->status());
  if (!seqs.empty()) return Broken("a record that is not in the log");
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  return last <= state.head_seq() ? absl::OkStatus() : Broken("the log is ahead of the head");
}

}  // namespace

absl::Status CheckInvariants(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(Recomputed books, Recompute(reader));
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  for (const ShardInfo& shard : shards) {
    if (ShardId::Of(shard.definition) != shard.id) return Broken("a shard under another's id");
    if (!(books.shards[shard.id] == shard.fingerprint)) {
      return Broken("a shard's fingerprint is not the sum of its records");
    }
    books.shards.erase(shard.id);
  }
  if (!books.shards.empty()) return Broken("records of a shard that is not listed");

  const auto members = reader.view().Scan(Family::kShardMembers, "", "");
  for (; members->Valid(); members->Next()) {
    const auto member = books.members.find(std::string(members->key()));
    if (member == books.members.end() || member->second != members->value()) {
      return Broken("a shard member without its record");
    }
    books.members.erase(member);
  }
  RETURN_IF_ERROR(members->status());
  if (!books.members.empty()) return Broken("a record that is no member of its shard");

  const auto uses = reader.view().Scan(Family::kFileUses, "", "");
  for (; uses->Valid(); uses->Next()) {
    if (books.file_uses.erase(std::string(uses->key())) == 0) return Broken("a stale file use");
  }
  RETURN_IF_ERROR(uses->status());
  if (!books.file_uses.empty()) return Broken("a file use that is not listed");

  const auto dependents = reader.view().Scan(Family::kDependents, "", "");
  for (; dependents->Valid(); dependents->Next()) {
    if (books.dependents.erase(std::string(dependents->key())) == 0) {
      return Broken("a stale dependent");
    }
  }
  RETURN_IF_ERROR(dependents->status());
  if (!books.dependents.empty()) return Broken("a dependent that is not listed");
  return CheckLog(reader, std::move(books.seqs));
}

}  // namespace sluice
