#include "storage/catalog_keys.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"

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

// Splits a value of kRecords into header and body.
absl::StatusOr<std::pair<absl::string_view, absl::string_view>> Split(absl::string_view value) {
  if (value.size() < kHeaderSizeBytes) return Damaged("record", value);
  size_t size = 0;
  for (size_t i = 0; i < kHeaderSizeBytes; ++i) size = size << 8 | static_cast<uint8_t>(value[i]);
  value.remove_prefix(kHeaderSizeBytes);
  if (value.size() < size) return Damaged("record", value);
  return std::make_pair(value.substr(0, size), value.substr(size));
}

}  // namespace

std::string EncodeSeq(uint64_t seq) {
  std::string bytes(kSeqBytes, '\0');
  for (size_t i = 0; i < kSeqBytes; ++i) {
    bytes[i] = static_cast<char>(seq >> (8 * (kSeqBytes - 1 - i)));
  }
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

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

std::string EncodeStored(const stored::v1::RecordHeader& header, absl::string_view body) {
  const std::string header_bytes = header.SerializeAsString();
  std::string value(kHeaderSizeBytes, '\0');
  for (size_t i = 0; i < kHeaderSizeBytes; ++i) {
    value[i] = static_cast<char>(header_bytes.size() >> (8 * (kHeaderSizeBytes - 1 - i)));
  }
  absl::StrAppend(&value, header_bytes, body);
  return value;
}

absl::StatusOr<stored::v1::RecordHeader> DecodeHeader(absl::string_view value) {
  ASSIGN_OR_RETURN(const auto parts, Split(value));
  stored::v1::RecordHeader header;
  if (!header.ParseFromArray(parts.first.data(), static_cast<int>(parts.first.size()))) {
    return Damaged("header", parts.first);
  }
  return header;
}

absl::StatusOr<v1::Record> DecodeRecord(const RecordKey& key, absl::string_view value) {
  ASSIGN_OR_RETURN(const auto parts, Split(value));
  ASSIGN_OR_RETURN(stored::v1::RecordHeader header, DecodeHeader(value));
  v1::Record record;
  *record.mutable_key() = key.ToProto();
  record.set_state(header.state());
  *record.mutable_stamp() = header.stamp();
  record.set_shard_id(header.shard_id());
  record.set_digest(header.digest());
  record.set_codec(header.codec());
  record.set_payload_bytes(header.payload_bytes());
  record.set_body(std::string(parts.second));
  record.mutable_decisions()->Swap(header.mutable_decisions());
  if (header.has_statement()) *record.mutable_statement() = header.statement();
  return record;
}

std::string EncodeMember(absl::string_view digest, const Stamp& stamp) {
  return absl::StrCat(digest, EncodeSeq(stamp.epoch_counter), EncodeSeq(stamp.version),
                      stamp.origin.view());
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
