// Record key, stamp and shard id: the small values that name and order records.
//
// Encoded, a key is: kind byte (high bit set for a kept record), 16-byte id, revision as big-endian
// u32 for revisions, and for a kept record the 16-byte id of its keeper. So byte order is: kind,
// then kept after not kept, id, revision.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/uuid.h"
#include "sluice/v1/record.pb.h"

namespace sluice {

struct RecordKey {
  v1::RecordKind kind = v1::RECORD_KIND_UNSPECIFIED;
  Uuid id;
  uint32_t revision = 0;  // 1 and up for revisions, else 0.
  Uuid kept_by;           // Nil, or who keeps what its upstream's history no longer has.

  bool kept() const { return !kept_by.is_nil(); }
  std::string Encode() const;
  std::string ToString() const;  // For people: "update 5f0c... revision 2".
  v1::RecordKey ToProto() const;

  // Errors: INVALID_ARGUMENT the bytes or message are no key.
  static absl::StatusOr<RecordKey> Decode(absl::string_view bytes);
  // The size of the encoded key that begins with `first_byte`.
  static size_t EncodedSize(uint8_t first_byte);
  static absl::StatusOr<RecordKey> FromProto(const v1::RecordKey& key);

  friend auto operator<=>(const RecordKey&, const RecordKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const RecordKey& key) {
    return H::combine(std::move(h), key.kind, key.id, key.revision, key.kept_by);
  }
};

// Says which of two facts under one key is newer. Ordered by counter, version, origin.
struct Stamp {
  uint64_t epoch_counter = 0;
  uint64_t version = 0;
  Uuid origin;

  v1::Stamp ToProto() const;
  static absl::StatusOr<Stamp> FromProto(const v1::Stamp& stamp);
  friend auto operator<=>(const Stamp&, const Stamp&) = default;
};

// Names a shard: the first 16 bytes of SHA-256 over its definition, serialised deterministically.
// The same at every node.
class ShardId {
 public:
  ShardId() = default;
  static ShardId Of(const v1::ShardDefinition& definition);
  static absl::StatusOr<ShardId> FromBytes(absl::string_view bytes);

  std::string bytes() const { return value_.bytes(); }
  absl::string_view view() const { return value_.view(); }
  friend auto operator<=>(const ShardId&, const ShardId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ShardId& id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  Uuid value_;
};

}  // namespace sluice
