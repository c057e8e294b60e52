#include "storage/catalog_keys.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/unknown_fields.h"

namespace sluice {
namespace {

constexpr size_t kSeqBytes = 8;
constexpr size_t kHeaderSizeBytes = 4;
constexpr size_t kMemberBytes = Digest::kSizeBytes + 2 * kSeqBytes + Uuid::kSizeBytes;

absl::Status Damaged(absl::string_view what, absl::string_view bytes) {
  return MakeError(v1::REASON_STORE_CORRUPT,
                   absl::StrCat(what, " ", absl::BytesToHexString(bytes.substr(0, 64)),
                                " in the store cannot be read"));
}

void AppendSeq(uint64_t seq, std::string& bytes) {
  for (size_t i = 0; i < kSeqBytes; ++i) {
    bytes.push_back(static_cast<char>(seq >> (8 * (kSeqBytes - 1 - i))));
  }
}

}  // namespace

std::string EncodeSeq(uint64_t seq) {
  std::string bytes;
  AppendSeq(seq, bytes);
  return bytes;
}

absl::StatusOr<uint64_t> DecodeSeq(absl::string_view bytes) {
  if (bytes.size() != kSeqBytes) return Damaged("seq", bytes);
  uint64_t seq = 0;
  for (const char byte : bytes) seq = seq << 8 | static_cast<uint8_t>(byte);
  return seq;
}

std::string LogPositionKey(const RecordKey& key, const ShardId& shard) {
  return absl::StrCat(key.Encode(), shard.view());
}

std::string MemberKey(const ShardId& shard, const RecordKey& key) {
  return absl::StrCat(shard.view(), key.Encode());
}

std::string FileUseKey(absl::string_view sha256, const RecordKey& key) {
  return absl::StrCat(sha256, key.Encode());
}

std::string DependentKey(absl::string_view update_id, const RecordKey& key) {
  return absl::StrCat(update_id, key.Encode());
}

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

std::string EncodeStored(const stored::v1::RecordHeader& header, absl::string_view body) {
  std::string value;
  AppendStored(header, body, value);
  return value;
}

void AppendStored(const stored::v1::RecordHeader& header, absl::string_view body,
                  std::string& value) {
  const size_t header_bytes = header.ByteSizeLong();
  const size_t at = value.size();
  value.resize(at + kHeaderSizeBytes + header_bytes);
  for (size_t i = 0; i < kHeaderSizeBytes; ++i) {
    value[at + i] = static_cast<char>(header_bytes >> (8 * (kHeaderSizeBytes - 1 - i)));
  }
  header.SerializeWithCachedSizesToArray(
      reinterpret_cast<uint8_t*>(value.data() + at + kHeaderSizeBytes));
  value.append(body.data(), body.size());
}

absl::StatusOr<StoredParts> SplitStored(absl::string_view value) {
  if (value.size() < kHeaderSizeBytes) return Damaged("record", value);
  size_t size = 0;
  for (size_t i = 0; i < kHeaderSizeBytes; ++i) size = size << 8 | static_cast<uint8_t>(value[i]);
  value.remove_prefix(kHeaderSizeBytes);
  if (value.size() < size) return Damaged("record", value);
  return StoredParts{value.substr(0, size), value.substr(size)};
}

absl::StatusOr<stored::v1::RecordHeader> DecodeHeader(absl::string_view value) {
  ASSIGN_OR_RETURN(const StoredParts parts, SplitStored(value));
  stored::v1::RecordHeader header;
  if (!header.ParseFromArray(parts.header.data(), static_cast<int>(parts.header.size()))) {
    return Damaged("header", parts.header);
  }
  return header;
}

absl::StatusOr<v1::Record> DecodeRecord(const RecordKey& key, absl::string_view value) {
  ASSIGN_OR_RETURN(const StoredParts parts, SplitStored(value));
  ASSIGN_OR_RETURN(stored::v1::RecordHeader header, DecodeHeader(value));
  v1::Record record;
  *record.mutable_key() = key.ToProto();
  record.set_state(header.state());
  *record.mutable_stamp() = header.stamp();
  record.set_shard_id(header.shard_id());
  record.set_digest(header.digest());
  record.set_codec(header.codec());
  record.set_payload_bytes(header.payload_bytes());
  record.set_body(std::string(parts.body));
  record.mutable_decisions()->Swap(header.mutable_decisions());
  if (header.has_statement()) *record.mutable_statement() = header.statement();
  if (!RestoreUnknownFields(header, record)) return Damaged("record", key.Encode());
  return record;
}

std::string EncodeMember(absl::string_view digest, const Stamp& stamp) {
  std::string value;
  AppendMember(digest, stamp.epoch_counter, stamp.version, stamp.origin.view(), value);
  return value;
}

void AppendMember(absl::string_view digest, uint64_t epoch_counter, uint64_t version,
                  absl::string_view origin, std::string& value) {
  value.append(digest.data(), digest.size());
  AppendSeq(epoch_counter, value);
  AppendSeq(version, value);
  value.append(origin.data(), origin.size());
}

absl::StatusOr<ShardMember> DecodeMember(absl::string_view key, absl::string_view value) {
  if (key.size() < Uuid::kSizeBytes || value.size() != kMemberBytes) {
    return Damaged("shard member", key);
  }
  ShardMember member;
  ASSIGN_OR_RETURN(member.key, RecordKey::Decode(key.substr(Uuid::kSizeBytes)));
  ASSIGN_OR_RETURN(member.digest, Digest::FromBytes(value.substr(0, Digest::kSizeBytes)));
  value.remove_prefix(Digest::kSizeBytes);
  ASSIGN_OR_RETURN(member.stamp.epoch_counter, DecodeSeq(value.substr(0, kSeqBytes)));
  ASSIGN_OR_RETURN(member.stamp.version, DecodeSeq(value.substr(kSeqBytes, kSeqBytes)));
  ASSIGN_OR_RETURN(member.stamp.origin, Uuid::FromBytes(value.substr(2 * kSeqBytes)));
  return member;
}

}  // namespace sluice
