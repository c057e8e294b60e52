// Records answer: what `GetRecords` answers, put together item by item up to the size of a message.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "common/uuid.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class RecordsAnswer {
 public:
  explicit RecordsAnswer(CatalogReader reader) : reader_(std::move(reader)) {}

  // Adds the record, or why it is not given. What the answer has no room for is ITEM_NOT_YET: to be
  // asked for again.
  absl::Status AddRecord(const RecordKey& key, v1::NodeMode mode);

  // Adds all records about an update. Of an update that is not here, or that the answer has no room
  // for, one item with a key that names the update and no revision.
  absl::Status AddUpdate(const Uuid& update, v1::NodeMode mode);

  v1::GetRecordsResponse Take() && { return std::move(response_); }

 private:
  absl::Status Refuse(const absl::Status& why, v1::RecordKey key);
  absl::Status NotHere(const Uuid& update) const;

  const CatalogReader reader_;
  v1::GetRecordsResponse response_;
  absl::flat_hash_set<ShardId> defined_;
  std::optional<bool> catching_up_;  // Looked at when something is absent.
  int64_t size_bytes_ = 0;
  bool full_ = false;
};

}  // namespace sluice
