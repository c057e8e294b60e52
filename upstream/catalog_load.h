// Catalog load: all that one child's selection takes, as a source of messages that somebody pulls.
//
// Where a child has nothing yet, the log would lead from record to record; this reads them as they
// lie, under one view of the catalog, and fills pack after pack from them. Nothing is queued: the
// next pack is made when it is asked for, so the child's reading speed is the back-pressure, and
// the view lives as long as the stream, which the transport ends when the child stops reading.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/header_scan.h"
#include "storage/pack_frame.h"
#include "storage/record_pack.h"
#include "storage/selection.h"

namespace sluice {

class CatalogLoad {
 public:
  // What `Next` has to say.
  struct Step {
    enum class Kind { kMessage, kEnd };
    Kind kind = Kind::kEnd;
    v1::LoadResponse message;  // With kMessage.
    absl::Status status;       // With kEnd.
  };

  // Before it is framed. One record may be 1 MiB, and a message that is received 4 MiB.
  static constexpr int64_t kPackBytes = int64_t{2} << 20;

  // Takes the view. A pack is full with `pack_bytes`.
  //
  // Errors:
  //   INVALID_ARGUMENT a malformed id.
  static absl::StatusOr<CatalogLoad> Open(const Catalog& catalog, const v1::LoadRequest& request,
                                          int64_t pack_bytes = kPackBytes);

  // The next message; kEnd when all was said, or after a failure.
  Step Next();

 private:
  enum class Stage { kOpen, kPacks, kOver };
  // A shard of the catalog, and what the stream calls it.
  struct Place {
    v1::ShardDefinition definition;
    bool wanted = false;
    int place = kUnnamed;
  };
  static constexpr int kUnnamed = -1;

  CatalogLoad(CatalogReader reader, int64_t pack_bytes);

  absl::StatusOr<v1::LoadResponse> Advance();
  absl::StatusOr<v1::LoadResponse> MakePack();
  // Adds the record under the cursor, if it is wanted.
  absl::Status AddRecord(v1::LoadPack& pack);
  // Whether it is taken although its shard is not.
  absl::StatusOr<bool> Picked() const;
  absl::Status AddParts(PackedRecord& packed);

  int64_t pack_bytes_;
  std::unique_ptr<const CatalogReader> reader_;
  std::unique_ptr<OrderedCursor> cursor_;
  Uuid child_;
  std::optional<Selection> selection_;
  v1::LoadOpen open_;
  absl::flat_hash_map<ShardId, Place> shards_;
  int named_ = 0;  // Shards that the stream has a place for.
  Stage stage_ = Stage::kOpen;
  RecordPackWriter writer_;
  PackFramer framer_;
  std::string parts_;  // Of the present record.
};

}  // namespace sluice
