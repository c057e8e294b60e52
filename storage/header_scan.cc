#include "storage/header_scan.h"

#include "sluice/stored/v1/stored.pb.h"

namespace sluice {
namespace {

using Header = stored::v1::RecordHeader;

// One field of a serialised message: https://protobuf.dev/programming-guides/encoding.
struct Field {
  int number = 0;
  uint64_t value = 0;       // Of a varint.
  absl::string_view bytes;  // Of what has a length.
};

bool ReadVarint(absl::string_view& rest, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(rest[0]);
    rest.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// The header and a stamp have varints and lengths alone.
bool ReadField(absl::string_view& rest, Field& field) {
  constexpr uint64_t kVarint = 0;
  constexpr uint64_t kLength = 2;
  uint64_t tag = 0;
  if (!ReadVarint(rest, tag)) return false;
  field.number = static_cast<int>(tag >> 3);
  if ((tag & 7) == kVarint) return ReadVarint(rest, field.value);
  uint64_t size = 0;
  if ((tag & 7) != kLength || !ReadVarint(rest, size) || size > rest.size()) return false;
  field.bytes = rest.substr(0, static_cast<size_t>(size));
  rest.remove_prefix(static_cast<size_t>(size));
  return true;
}

bool ScanStamp(absl::string_view stamp, HeaderFields& fields) {
  Field field;
  while (!stamp.empty()) {
    if (!ReadField(stamp, field)) return false;
    switch (field.number) {
      case v1::Stamp::kOriginIdFieldNumber:
        fields.origin = field.bytes;
        break;
      case v1::Stamp::kEpochCounterFieldNumber:
        fields.epoch_counter = field.value;
        break;
      case v1::Stamp::kVersionFieldNumber:
        fields.version = field.value;
        break;
      default:
        break;
    }
  }
  return true;
}

}  // namespace

bool ScanHeader(absl::string_view header, HeaderFields& fields) {
  fields = HeaderFields();
  Field field;
  while (!header.empty()) {
    if (!ReadField(header, field)) return false;
    switch (field.number) {
      case Header::kStateFieldNumber:
        fields.state = static_cast<v1::RecordState>(field.value);
        break;
      case Header::kStampFieldNumber:
        if (!ScanStamp(field.bytes, fields)) return false;
        break;
      case Header::kShardIdFieldNumber:
        fields.shard_id = field.bytes;
        break;
      case Header::kDigestFieldNumber:
        fields.digest = field.bytes;
        break;
      case Header::kCodecFieldNumber:
        fields.codec = static_cast<v1::Codec>(field.value);
        break;
      case Header::kPayloadBytesFieldNumber:
        fields.payload_bytes = static_cast<uint32_t>(field.value);
        break;
      case Header::kDictionaryIdFieldNumber:
        fields.dictionary_id = field.bytes;
        break;
      case Header::kDecisionsFieldNumber:
      case Header::kStatementFieldNumber:
        fields.has_parts = true;
        break;
      default:
        break;
    }
  }
  return true;
}

}  // namespace sluice
