// Record pack: many records as one string, as `LoadPack.records` carries them: written straight
// from stored rows and read without a message per record.
//
// Record after record, numbers as varints:
//
//   flags          codec in the two lowest bits, 4: tombstone, 8: has parts
//   key            as storage/record_key.h encodes it; its first byte says how long it is
//   origin         place in the pack's table of stamp origins; the next free place introduces one:
//                  its 16-byte id and its epoch counter follow
//   version        of the stamp
//   shard          place among the shards of the whole stream
//   dictionary     for codec ZSTD_DICTIONARY: place among those of the whole stream
//   tombstone      32 bytes: the digest of what was deleted. Nothing else is sent of it.
//   parts          size, and a `Record` with nothing but decisions and statement
//   payload_bytes  size of the payload
//   body           size, and the bytes as the origin packed them
//
// No digest of what is present travels: whoever receives a pack computes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "sluice/v1/record.pb.h"

namespace sluice {

// One record of a pack. Views are into the pack, or into what the writer is given.
struct PackedRecord {
  absl::string_view key;  // Encoded.
  bool tombstone = false;
  absl::string_view origin;  // Of the stamp: 16 bytes.
  uint64_t epoch_counter = 0;
  uint64_t version = 0;
  uint32_t shard = 0;
  v1::Codec codec = v1::CODEC_UNSPECIFIED;
  uint32_t dictionary = 0;
  absl::string_view digest;  // Of a tombstone: 32 bytes.
  absl::string_view parts;
  uint32_t payload_bytes = 0;
  absl::string_view body;
};

class RecordPackWriter {
 public:
  void Add(const PackedRecord& record);

  int count() const { return count_; }
  int64_t size_bytes() const { return static_cast<int64_t>(bytes_.size()); }
  // The pack so far; until the next change.
  absl::string_view pack() const { return bytes_; }
  // As new, with the memory that it has.
  void Clear();
  // The pack; the writer is as new afterwards.
  std::string Finish();

 private:
  struct Origin {
    std::string id;
    uint64_t epoch_counter = 0;
  };

  std::string bytes_;
  std::vector<Origin> origins_;
  int count_ = 0;
};

// Walks a pack. What is damaged ends the walk early, so the status is looked at when it is over.
class RecordPackReader {
 public:
  // `bytes` must outlive the reader and what it reads.
  explicit RecordPackReader(absl::string_view bytes) : rest_(bytes) {}

  // The next record; false at the end.
  bool Next(PackedRecord& record);

  // Errors: DATA_LOSS ITEM_CORRUPT the pack is no pack.
  const absl::Status& status() const { return status_; }

 private:
  struct Origin {
    absl::string_view id;
    uint64_t epoch_counter = 0;
  };

  bool Read(PackedRecord& record);
  bool ReadNumber(uint64_t& number);
  bool ReadNumber(uint32_t& number);
  bool ReadBytes(uint64_t size, absl::string_view& bytes);
  bool ReadSized(absl::string_view& bytes);
  bool ReadKey(absl::string_view& key);
  bool ReadOrigin(PackedRecord& record);

  absl::string_view rest_;
  std::vector<Origin> origins_;
  absl::Status status_;
};

}  // namespace sluice
