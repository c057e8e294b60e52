// Payload: between a record's meaning and its bytes. The one place that serialises, compresses,
// digests and takes apart.
//
// The origin packs a payload once. Every other node verifies what it received and derives the
// header from the very bytes that the digest covers, so no relay can say one thing in the columns
// and another in the body.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/digest.h"
#include "sluice/stored/v1/stored.pb.h"
#include "sluice/v1/record.pb.h"
#include "storage/record_key.h"

namespace sluice {

inline constexpr int64_t kPayloadBytesMax = int64_t{1} << 20;

// A record whose digest was computed here, with the columns derived from its payload.
struct CheckedRecord {
  v1::Record record;
  stored::v1::RecordHeader header;
  v1::ShardDefinition shard;
};

// Counts of what this process did, for tests that show that relays pass bytes through.
struct PayloadCounters {
  int64_t serialised = 0;    // Payloads serialised and compressed: at the origin only.
  int64_t decompressed = 0;  // Bodies decompressed: once on receipt, to verify.
};
PayloadCounters GetPayloadCounters();

// The digest of a payload: SHA-256 over the kind's byte and the bytes.
Digest PayloadDigest(v1::RecordKind kind, absl::string_view payload);

// The digest of a policy: SHA-256 over its decisions' digests, which are sorted by decision key
// first.
Digest PolicyDigest(const google::protobuf::RepeatedPtrField<v1::DecisionEntry>& decisions);

// Packs a payload at its origin. The stamp is left empty for the store to set.
//
// Errors:
//   INVALID_ARGUMENT  the payload is malformed or larger than 1 MiB.
absl::StatusOr<CheckedRecord> PackCategory(const v1::Category& category);
absl::StatusOr<CheckedRecord> PackRevision(const v1::Revision& revision, uint32_t number);
absl::StatusOr<CheckedRecord> PackTargetGroup(const v1::TargetGroup& group);
// `shard` is that of the update's current revision, in stream CATALOG or POLICY.
absl::StatusOr<CheckedRecord> PackExpiry(const v1::Expiry& expiry,
                                         const v1::ShardDefinition& shard);
// In the shard of the node that holds back.
absl::StatusOr<CheckedRecord> PackSiteNotice(const v1::SiteNotice& notice);
absl::StatusOr<v1::DecisionEntry> PackDecision(const v1::Decision& decision);
absl::StatusOr<CheckedRecord> PackPolicy(const Uuid& update_id,
                                         const std::vector<v1::DecisionEntry>& decisions,
                                         const v1::ShardDefinition& shard);

// Verifies a record as received, with the shard's definition as the sender gave it.
//
// Errors:
//   DATA_LOSS ITEM_CORRUPT           digest, size, key or shard do not fit the payload.
//   UNIMPLEMENTED ITEM_TOO_NEW       a kind or codec that this release does not know.
absl::StatusOr<CheckedRecord> CheckRecord(v1::Record record, const v1::ShardDefinition& shard);

// The payload of a body, of the declared size and no more; in `buffer`, unless the body is not
// packed.
//
// Errors:
//   DATA_LOSS ITEM_CORRUPT      it does not unpack to that size, or that is more than 1 MiB.
//   UNIMPLEMENTED ITEM_TOO_NEW  an unknown codec.
absl::StatusOr<absl::string_view> UnpackBody(v1::Codec codec, uint32_t payload_bytes,
                                             absl::string_view body, std::string& buffer);

// Checks the payload of a present record other than a policy against the record's key and shard,
// and fills the columns of an empty `header`. Errors: those of CheckRecord.
absl::Status CheckPayload(const RecordKey& key, const v1::ShardDefinition& shard,
                          absl::string_view payload, stored::v1::RecordHeader& header);

// Checks the decisions of a policy about `update_id`. Errors: those of CheckRecord.
absl::Status CheckDecisions(const Uuid& update_id,
                            const google::protobuf::RepeatedPtrField<v1::DecisionEntry>& decisions);

// The shard of a revision, by its payload.
v1::ShardDefinition ShardOfRevision(const v1::Revision& revision);
// The shard that everybody takes, in `stream`.
v1::ShardDefinition AlwaysShard(v1::StreamKind stream);
// The shard of a policy or expiry of an update whose current revision is in `shard_of_revision`.
v1::ShardDefinition ShardInStream(v1::ShardDefinition shard_of_revision, v1::StreamKind stream);
v1::StreamKind StreamOf(v1::RecordKind kind);

// The id of what `node` says about `update`, and the shard of all that it says.
Uuid SiteNoticeId(const Uuid& node, const Uuid& update);
v1::ShardDefinition SiteShard(const Uuid& node);

// Unpacks a stored body.
absl::StatusOr<v1::Revision> UnpackRevision(const v1::Record& record);
absl::StatusOr<v1::Category> UnpackCategory(const v1::Record& record);
absl::StatusOr<v1::TargetGroup> UnpackTargetGroup(const v1::Record& record);
absl::StatusOr<v1::Expiry> UnpackExpiry(const v1::Record& record);
absl::StatusOr<v1::SiteNotice> UnpackSiteNotice(const v1::Record& record);
absl::StatusOr<v1::Decision> UnpackDecision(const v1::DecisionEntry& entry);

}  // namespace sluice
