#include "storage/picked_records.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

constexpr char kKeptBit = '\x80';

absl::Status AppendRecords(const CatalogReader& reader, const std::string& prefix,
                           std::vector<PlacedRecord>& records) {
  const auto cursor = reader.view().Scan(Family::kRecords, prefix, PrefixEnd(prefix));
  for (; cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const stored::v1::RecordHeader header, DecodeHeader(cursor->value()));
    if (header.state() != v1::RECORD_STATE_PRESENT) continue;
    PlacedRecord record;
    ASSIGN_OR_RETURN(record.shard, ShardId::FromBytes(header.shard_id()));
    ASSIGN_OR_RETURN(record.member.key, RecordKey::Decode(cursor->key()));
    ASSIGN_OR_RETURN(record.member.digest, Digest::FromBytes(header.digest()));
    ASSIGN_OR_RETURN(record.member.stamp, Stamp::FromProto(header.stamp()));
    records.push_back(std::move(record));
  }
  return cursor->status();
}

// The records about an update that are picked, as they do not come with their shards.
absl::StatusOr<std::vector<PlacedRecord>> PickedAbout(const CatalogReader& reader,
                                                      const Selection& selection,
                                                      const Uuid& update_id,
                                                      const Uuid& excluded_keeper,
                                                      WholeShards& whole) {
  ASSIGN_OR_RETURN(std::vector<PlacedRecord> records, RecordsAbout(reader, update_id));
  absl::Status failure;
  std::erase_if(records, [&](const PlacedRecord& record) {
    if (!selection.Picks(record.member.key)) return true;
    if (record.member.key.kept() && record.member.key.kept_by == excluded_keeper) return true;
    const absl::StatusOr<bool> with_shard = whole.Contain(record.shard);
    failure.Update(with_shard.status());
    return with_shard.value_or(false);
  });
  RETURN_IF_ERROR(failure);
  return records;
}

}  // namespace

absl::StatusOr<std::vector<PlacedRecord>> RecordsAbout(const CatalogReader& reader,
                                                       const Uuid& update_id) {
  std::vector<PlacedRecord> records;
  for (const v1::RecordKind kind :
       {v1::RECORD_KIND_REVISION, v1::RECORD_KIND_EXPIRY, v1::RECORD_KIND_POLICY}) {
    const char byte = static_cast<char>(kind);
    for (const char first : {byte, static_cast<char>(byte | kKeptBit)}) {
      const std::string prefix = absl::StrCat(absl::string_view(&first, 1), update_id.view());
      RETURN_IF_ERROR(AppendRecords(reader, prefix, records));
    }
  }
  return records;
}

absl::StatusOr<bool> WholeShards::Contain(const ShardId& shard) {
  const auto known = known_.find(shard);
  if (known != known_.end()) return known->second;
  ASSIGN_OR_RETURN(const ShardInfo info, reader_.Shard(shard));
  return known_.emplace(shard, selection_.Matches(info.definition)).first->second;
}

absl::StatusOr<PickedMembers> FindPicked(const CatalogReader& reader, const Selection& selection,
                                         const Uuid& excluded_keeper) {
  PickedMembers picked;
  WholeShards whole(reader, selection);
  for (const Uuid& update : selection.picks()) {
    ASSIGN_OR_RETURN(const std::vector<PlacedRecord> records,
                     PickedAbout(reader, selection, update, excluded_keeper, whole));
    for (const PlacedRecord& record : records) picked[record.shard].push_back(record.member);
  }
  for (auto& [shard, members] : picked) {
    std::sort(members.begin(), members.end(), [](const ShardMember& a, const ShardMember& b) {
      return a.key.Encode() < b.key.Encode();
    });
  }
  return picked;
}

absl::Status PickedSums::LookAtAll(const CatalogReader& reader, const Selection& selection,
                                   const Uuid& excluded_keeper) {
  sums_.clear();
  by_update_.clear();
  return Look(reader, selection, excluded_keeper, selection.picks());
}

absl::Status PickedSums::Look(const CatalogReader& reader, const Selection& selection,
                              const Uuid& excluded_keeper,
                              const absl::flat_hash_set<Uuid>& changed) {
  WholeShards whole(reader, selection);
  for (const Uuid& update : changed) {
    ASSIGN_OR_RETURN(const std::vector<PlacedRecord> records,
                     PickedAbout(reader, selection, update, excluded_keeper, whole));
    if (const auto before = by_update_.find(update); before != by_update_.end()) {
      for (const auto& [shard, digest] : before->second) sums_[shard].Subtract(digest);
      by_update_.erase(before);
    }
    if (records.empty()) continue;
    auto& added = by_update_[update];
    for (const PlacedRecord& record : records) {
      sums_[record.shard].Add(record.member.digest);
      added.emplace_back(record.shard, record.member.digest);
    }
  }
  std::erase_if(sums_, [](const auto& sum) { return sum.second.count() == 0; });
  return absl::OkStatus();
}

absl::StatusOr<Fingerprint> PickedSums::Total() const {
  Fingerprint total;
  for (const auto& [shard, fingerprint] : sums_) {
    ASSIGN_OR_RETURN(const Fingerprint placed, PlacedInShard(shard, fingerprint));
    total.Add(placed);
  }
  return total;
}

}  // namespace sluice
