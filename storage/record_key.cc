#include "storage/record_key.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace sluice {
namespace {

constexpr uint8_t kKeptBit = 0x80;
// Newer releases may know more kinds than this one.
constexpr int kKindMax = kKeptBit - 1;
constexpr size_t kRevisionBytes = 4;

absl::Status BadKey(absl::string_view bytes) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", absl::BytesToHexString(bytes.substr(0, 64)), "\" is no record key"));
}

absl::string_view NounOf(v1::RecordKind kind) {
  switch (kind) {
    case v1::RECORD_KIND_CATEGORY:
      return "category";
    case v1::RECORD_KIND_REVISION:
      return "update";
    case v1::RECORD_KIND_EXPIRY:
      return "expiry of update";
    case v1::RECORD_KIND_POLICY:
      return "policy of update";
    case v1::RECORD_KIND_TARGET_GROUP:
      return "group";
    case v1::RECORD_KIND_RULE:
      return "rule";
    case v1::RECORD_KIND_SITE:
      return "site record";
    default:
      return "record";
  }
}

// What every key must fulfil, decoded from bytes or from a message.
absl::Status CheckKey(const RecordKey& key) {
  if (key.kind < v1::RECORD_KIND_CATEGORY || key.kind > kKindMax) {
    return absl::InvalidArgumentError(absl::StrCat("a record key of impossible kind ", key.kind));
  }
  if ((key.kind == v1::RECORD_KIND_REVISION) != (key.revision != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key of ", NounOf(key.kind), " ", key.id.ToString(), " with revision ",
                     key.revision, ": revisions have one from 1, all else none"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string RecordKey::Encode() const {
  std::string bytes;
  bytes.reserve(1 + Uuid::kSizeBytes + kRevisionBytes + Uuid::kSizeBytes);
  const auto kind_byte = static_cast<uint8_t>(kind);
  bytes.push_back(static_cast<char>(kept() ? kind_byte | kKeptBit : kind_byte));
  bytes.append(id.view().data(), id.view().size());
  if (kind == v1::RECORD_KIND_REVISION) {
    char number[kRevisionBytes];
    for (size_t i = 0; i < kRevisionBytes; ++i) {
      number[i] = static_cast<char>(revision >> (8 * (kRevisionBytes - 1 - i)));
    }
    bytes.append(number, kRevisionBytes);
  }
  if (kept()) bytes.append(kept_by.view().data(), kept_by.view().size());
  return bytes;
}

absl::StatusOr<RecordKey> RecordKey::Decode(absl::string_view bytes) {
  if (bytes.size() < 1 + Uuid::kSizeBytes) return BadKey(bytes);
  const auto kind_byte = static_cast<uint8_t>(bytes[0]);
  RecordKey key;
  key.kind = static_cast<v1::RecordKind>(kind_byte & ~kKeptBit);
  ASSIGN_OR_RETURN(key.id, Uuid::FromBytes(bytes.substr(1, Uuid::kSizeBytes)));
  absl::string_view rest = bytes.substr(1 + Uuid::kSizeBytes);
  if (key.kind == v1::RECORD_KIND_REVISION) {
    if (rest.size() < kRevisionBytes) return BadKey(bytes);
    for (size_t i = 0; i < kRevisionBytes; ++i) {
      key.revision = key.revision << 8 | static_cast<uint8_t>(rest[i]);
    }
    rest.remove_prefix(kRevisionBytes);
  }
  const bool kept = (kind_byte & kKeptBit) != 0;
  if (rest.size() != (kept ? Uuid::kSizeBytes : 0)) return BadKey(bytes);
  if (kept) {
    ASSIGN_OR_RETURN(key.kept_by, Uuid::FromBytes(rest));
    if (!key.kept()) return BadKey(bytes);
  }
  RETURN_IF_ERROR(CheckKey(key));
  return key;
}

size_t RecordKey::EncodedSize(uint8_t first_byte) {
  const bool revision = (first_byte & ~kKeptBit) == v1::RECORD_KIND_REVISION;
  const bool kept = (first_byte & kKeptBit) != 0;
  return 1 + Uuid::kSizeBytes + (revision ? kRevisionBytes : 0) + (kept ? Uuid::kSizeBytes : 0);
}

std::string RecordKey::ToString() const {
  std::string text = absl::StrCat(NounOf(kind), " ", id.ToString());
  if (revision != 0) absl::StrAppend(&text, " revision ", revision);
  if (kept()) absl::StrAppend(&text, " kept by ", kept_by.ToString());
  return text;
}

v1::RecordKey RecordKey::ToProto() const {
  v1::RecordKey key;
  key.set_kind(kind);
  key.set_id(id.bytes());
  key.set_revision(revision);
  if (kept()) key.set_kept_by(kept_by.bytes());
  return key;
}

absl::StatusOr<RecordKey> RecordKey::FromProto(const v1::RecordKey& message) {
  RecordKey key;
  key.kind = message.kind();
  ASSIGN_OR_RETURN(key.id, Uuid::FromBytes(message.id()));
  key.revision = message.revision();
  if (!message.kept_by().empty()) {
    ASSIGN_OR_RETURN(key.kept_by, Uuid::FromBytes(message.kept_by()));
    if (!key.kept()) return absl::InvalidArgumentError("kept_by is the nil UUID");
  }
  RETURN_IF_ERROR(CheckKey(key));
  return key;
}

v1::Stamp Stamp::ToProto() const {
  v1::Stamp stamp;
  stamp.set_origin_id(origin.bytes());
  stamp.set_epoch_counter(epoch_counter);
  stamp.set_version(version);
  return stamp;
}

absl::StatusOr<Stamp> Stamp::FromProto(const v1::Stamp& message) {
  Stamp stamp;
  stamp.epoch_counter = message.epoch_counter();
  stamp.version = message.version();
  ASSIGN_OR_RETURN(stamp.origin, Uuid::FromBytes(message.origin_id()));
  return stamp;
}

ShardId ShardId::Of(const v1::ShardDefinition& definition) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    definition.SerializeToCodedStream(&out);
  }
  ShardId id;
  id.value_ = *Uuid::FromBytes(Digest::Of(bytes).view().substr(0, Uuid::kSizeBytes));
  return id;
}

absl::StatusOr<ShardId> ShardId::FromBytes(absl::string_view bytes) {
  ShardId id;
  ASSIGN_OR_RETURN(id.value_, Uuid::FromBytes(bytes));
  return id;
}

}  // namespace sluice
