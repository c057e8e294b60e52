// Catalog keys: every key and value format of the catalog's families, in one place.
// storage/README.md describes them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/catalog.h"
#include "storage/payload.h"
#include "storage/record_key.h"

namespace sluice {

// The format of keys and values that this release writes and reads.
inline constexpr uint32_t kStoreFormat = 1;
// The one row of Family::kState.
inline constexpr absl::string_view kStateKey = "state";

// A seq as a key: 8 bytes, big-endian.
std::string EncodeSeq(uint64_t seq);
absl::StatusOr<uint64_t> DecodeSeq(absl::string_view bytes);

// Keys of kLogPosition, kShardMembers, kFileUses and kDependents.
std::string LogPositionKey(const RecordKey& key, const ShardId& shard);
std::string MemberKey(const ShardId& shard, const RecordKey& key);
std::string FileUseKey(absl::string_view sha256, const RecordKey& key);
std::string DependentKey(absl::string_view update_id, const RecordKey& key);

// The first key after all keys that begin with `prefix`; empty when there is none.
std::string PrefixEnd(absl::string_view prefix);

// A value of kRecords: the header's size as 4 bytes, the header, the body.
std::string EncodeStored(const stored::v1::RecordHeader& header, absl::string_view body);
void AppendStored(const stored::v1::RecordHeader& header, absl::string_view body,
                  std::string& value);
// The two parts of such a value, as they lie in it.
struct StoredParts {
  absl::string_view header;
  absl::string_view body;
};
absl::StatusOr<StoredParts> SplitStored(absl::string_view value);
absl::StatusOr<stored::v1::RecordHeader> DecodeHeader(absl::string_view value);
absl::StatusOr<v1::Record> DecodeRecord(const RecordKey& key, absl::string_view value);

// A value of kShardMembers: digest and stamp.
std::string EncodeMember(absl::string_view digest, const Stamp& stamp);
void AppendMember(absl::string_view digest, uint64_t epoch_counter, uint64_t version,
                  absl::string_view origin, std::string& value);
absl::StatusOr<ShardMember> DecodeMember(absl::string_view key, absl::string_view value);

}  // namespace sluice
