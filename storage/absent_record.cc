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

absl::StatusOr<bool> HasBuriedRevision(const CatalogReader& reader, const Uuid& update_id) {
  const std::string first = RecordKey{v1::RECORD_KIND_REVISION, update_id, 1, {}}.Encode();
  const std::string prefix = first.substr(0, 1 + Uuid::kSizeBytes);
  const auto cursor = reader.view().Scan(Family::kRecords, prefix, PrefixEnd(prefix));
  bool buried = false;
  for (; cursor->Valid() && !buried; cursor->Next()) {
    ASSIGN_OR_RETURN(const stored::v1::RecordHeader header, DecodeHeader(cursor->value()));
    buried = header.state() == v1::RECORD_STATE_TOMBSTONE;
  }
  RETURN_IF_ERROR(cursor->status());
  return buried;
}

}  // namespace sluice
