#include "storage/absent_record.h"

#include <string>
#include <utility>

#include "common/status.h"
#include "storage/catalog_keys.h"

namespace sluice {

absl::StatusOr<std::optional<v1::Record>> TombstoneOf(const CatalogReader& reader,
                                                      const RecordKey& key) {
  const absl::StatusOr<std::string> value = reader.view().Get(Family::kRecords, key.Encode());
  if (absl::IsNotFound(value.status())) return std::optional<v1::Record>();
  if (!value.ok()) return value.status();
  ASSIGN_OR_RETURN(v1::Record record, DecodeRecord(key, *value));
  if (record.state() != v1::RECORD_STATE_TOMBSTONE) return std::optional<v1::Record>();
  return std::optional<v1::Record>(std::move(record));
}

absl::StatusOr<bool> HasLeft(const CatalogReader& reader, const RecordKey& key) {
  const std::string encoded = key.Encode();
  const absl::StatusOr<std::string> value = reader.view().Get(Family::kRecords, encoded);
  if (value.ok()) return false;
  if (!absl::IsNotFound(value.status())) return value.status();
  const auto cursor = reader.view().Scan(Family::kLogPosition, encoded, PrefixEnd(encoded));
  const bool left = cursor->Valid();
  RETURN_IF_ERROR(cursor->status());
  return left;
}

}  // namespace sluice
