#include "storage/record_pack.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/digest.h"
#include "common/errors.h"
#include "common/uuid.h"
#include "storage/record_key.h"

namespace sluice {
namespace {

constexpr uint8_t kCodecBits = 3;
constexpr uint8_t kTombstone = 4;
constexpr uint8_t kHasParts = 8;
constexpr uint8_t kAllFlags = kCodecBits | kTombstone | kHasParts;

void AppendNumber(uint64_t number, std::string& bytes) {
  while (number >= 0x80) {
    bytes.push_back(static_cast<char>(number | 0x80));
    number >>= 7;
  }
  bytes.push_back(static_cast<char>(number));
}

void Append(absl::string_view part, std::string& bytes) { bytes.append(part.data(), part.size()); }

void AppendSized(absl::string_view part, std::string& bytes) {
  AppendNumber(part.size(), bytes);
  Append(part, bytes);
}

}  // namespace

void RecordPackWriter::Add(const PackedRecord& record) {
  uint8_t flags = static_cast<uint8_t>(record.codec) & kCodecBits;
  if (record.tombstone) flags |= kTombstone;
  if (!record.parts.empty()) flags |= kHasParts;
  bytes_.push_back(static_cast<char>(flags));
  Append(record.key, bytes_);
  // Few nodes are an origin.
  const auto known = std::find_if(origins_.begin(), origins_.end(), [&](const Origin& origin) {
    return origin.epoch_counter == record.epoch_counter && origin.id == record.origin;
  });
  AppendNumber(static_cast<uint64_t>(known - origins_.begin()), bytes_);
  if (known == origins_.end()) {
    Append(record.origin, bytes_);
    AppendNumber(record.epoch_counter, bytes_);
    origins_.push_back({std::string(record.origin), record.epoch_counter});
  }
  AppendNumber(record.version, bytes_);
  AppendNumber(record.shard, bytes_);
  ++count_;
  if (record.tombstone) return Append(record.digest, bytes_);
  if (record.codec == v1::CODEC_ZSTD_DICTIONARY) AppendNumber(record.dictionary, bytes_);
  if (!record.parts.empty()) AppendSized(record.parts, bytes_);
  AppendNumber(record.payload_bytes, bytes_);
  AppendSized(record.body, bytes_);
}

void RecordPackWriter::Clear() {
  origins_.clear();
  count_ = 0;
  bytes_.clear();
}

std::string RecordPackWriter::Finish() {
  std::string pack = std::move(bytes_);
  Clear();
  return pack;
}

bool RecordPackReader::Next(PackedRecord& record) {
  if (rest_.empty() || !status_.ok()) return false;
  if (Read(record)) return true;
  status_ = MakeError(v1::REASON_ITEM_CORRUPT, "a pack of records is damaged");
  return false;
}

bool RecordPackReader::Read(PackedRecord& record) {
  const auto flags = static_cast<uint8_t>(rest_[0]);
  rest_.remove_prefix(1);
  if ((flags & ~kAllFlags) != 0 || (flags & kCodecBits) > v1::Codec_MAX) return false;
  record = PackedRecord();
  record.codec = static_cast<v1::Codec>(flags & kCodecBits);
  record.tombstone = (flags & kTombstone) != 0;
  if (!ReadKey(record.key) || !ReadOrigin(record) || !ReadNumber(record.version) ||
      !ReadNumber(record.shard)) {
    return false;
  }
  if (record.tombstone) return ReadBytes(Digest::kSizeBytes, record.digest);
  if (record.codec == v1::CODEC_ZSTD_DICTIONARY && !ReadNumber(record.dictionary)) return false;
  if ((flags & kHasParts) != 0 && !ReadSized(record.parts)) return false;
  return ReadNumber(record.payload_bytes) && ReadSized(record.body);
}

bool RecordPackReader::ReadNumber(uint64_t& number) {
  number = 0;
  for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    // The tenth byte holds the one bit that is left.
    if (shift == 63 && byte > 1) return false;
    number |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool RecordPackReader::ReadNumber(uint32_t& number) {
  uint64_t wide = 0;
  if (!ReadNumber(wide) || wide > std::numeric_limits<uint32_t>::max()) return false;
  number = static_cast<uint32_t>(wide);
  return true;
}

bool RecordPackReader::ReadBytes(uint64_t size, absl::string_view& bytes) {
  if (size > rest_.size()) return false;
  bytes = rest_.substr(0, static_cast<size_t>(size));
  rest_.remove_prefix(static_cast<size_t>(size));
  return true;
}

bool RecordPackReader::ReadSized(absl::string_view& bytes) {
  uint64_t size = 0;
  return ReadNumber(size) && ReadBytes(size, bytes);
}

bool RecordPackReader::ReadKey(absl::string_view& key) {
  return !rest_.empty() && ReadBytes(RecordKey::EncodedSize(static_cast<uint8_t>(rest_[0])), key);
}

bool RecordPackReader::ReadOrigin(PackedRecord& record) {
  uint64_t place = 0;
  if (!ReadNumber(place) || place > origins_.size()) return false;
  if (place == origins_.size()) {
    Origin origin;
    if (!ReadBytes(Uuid::kSizeBytes, origin.id) || !ReadNumber(origin.epoch_counter)) return false;
    origins_.push_back(origin);
  }
  const Origin& origin = origins_[static_cast<size_t>(place)];
  record.origin = origin.id;
  record.epoch_counter = origin.epoch_counter;
  return true;
}

}  // namespace sluice
