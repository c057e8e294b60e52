#include "storage/catalog_change.h"

#include <utility>

namespace sluice {

void CatalogChange::Originate(CheckedRecord record) {
  ops_.push_back(OriginateOp{std::move(record)});
}

void CatalogChange::Import(CheckedRecord record) {
  ops_.push_back(OriginateOp{std::move(record), true});
}

void CatalogChange::Accept(CheckedRecord record) {
  ops_.push_back(AcceptOp{std::move(record), false});
}

void CatalogChange::AcceptKeepingDecisions(CheckedRecord record) {
  ops_.push_back(AcceptOp{std::move(record), true});
}

void CatalogChange::Delete(const RecordKey& key) { ops_.push_back(DeleteOp{key}); }

void CatalogChange::Leave(const RecordKey& key, const ShardId& shard) {
  ops_.push_back(LeaveOp{key, shard});
}

void CatalogChange::Keep(const RecordKey& key) { ops_.push_back(KeepOp{key}); }

void CatalogChange::PutRow(Family family, absl::string_view key,
                           const google::protobuf::MessageLite& row) {
  rows_.Put(family, key, row.SerializeAsString());
}

void CatalogChange::DeleteRow(Family family, absl::string_view key) { rows_.Delete(family, key); }

void CatalogChange::SetCursor(const v1::Cursor& cursor) {
  PutRow(Family::kCursors, cursor.upstream_id(), cursor);
}

}  // namespace sluice
