// Load rows: from a pack of records to the rows that these become, checked like any record that
// comes from another node: the payload is unpacked, its digest computed and its columns derived
// here.
//
// It needs nothing but the pack and the shards that it names, so packs can be checked by several
// threads at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"
#include "common/uuid.h"
#include "sluice/v1/record.pb.h"
#include "storage/catalog.h"
#include "storage/fingerprint.h"
#include "storage/record_key.h"

namespace sluice {

// The rows of one pack. Not to be copied or moved once it is filled: its rows point into it.
struct LoadRows {
  struct Row {
    absl::string_view key;     // Encoded; in the pack.
    absl::string_view value;   // For Family::kRecords.
    absl::string_view member;  // For Family::kShardMembers; empty for a tombstone.
    Digest digest;
    uint32_t shard = 0;
  };
  struct FileUse {
    Digest file;
    absl::string_view key;
  };
  struct Dependent {
    Uuid needed;
    absl::string_view key;
  };

  std::string received;  // As it travelled.
  std::string unframed;  // Where that is in a frame: the pack.
  std::string bytes;     // Values and members are in here.
  std::vector<Row> rows;
  std::vector<FileUse> file_uses;
  std::vector<Dependent> dependents;
};

// What a pack is checked against.
struct LoadContext {
  std::vector<const ShardInfo*> shards;  // By place.
  uint64_t first_seq = 0;                // Of the first record.
  int count = 0;                         // Records that the pack is said to hold.
};

// Fills `rows`, of which `received` is given.
//
// Errors: those of CheckRecord (storage/payload.h); DATA_LOSS ITEM_CORRUPT the pack or its frame
// is damaged, or holds another number of records.
absl::Status FillLoadRows(const LoadContext& context, LoadRows& rows);

}  // namespace sluice
