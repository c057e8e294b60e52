// Absent record: what the store still knows of a record that it does not hold.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "sluice/v1/record.pb.h"
#include "storage/catalog.h"

namespace sluice {

// The tombstone under a key; none when the key holds none.
absl::StatusOr<std::optional<v1::Record>> TombstoneOf(const CatalogReader& reader,
                                                      const RecordKey& key);

// Whether the record left a shard here and is in none now.
absl::StatusOr<bool> HasLeft(const CatalogReader& reader, const RecordKey& key);

// Whether a revision of the update was deleted, and is remembered as such.
absl::StatusOr<bool> HasBuriedRevision(const CatalogReader& reader, const Uuid& update_id);

}  // namespace sluice
