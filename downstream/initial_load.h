// Initial load: what a node without a catalog takes from its upstream in one piece: the messages of
// `Load`, until everything is durable at once.
//
// It is believed only when what was computed here adds up to what the upstream said at the
// beginning. If it does not, or anything in it is not sound, none of it stays, and whoever asked
// goes the other way, which takes records one by one and can say what is wrong with each.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/worker_pool.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/bulk_load.h"
#include "storage/catalog.h"
#include "storage/session_log.h"

namespace sluice {

class InitialLoad {
 public:
  // `pool` may be null. All must outlive the load. Errors: FAILED_PRECONDITION the catalog is not
  // empty.
  static absl::StatusOr<std::unique_ptr<InitialLoad>> Begin(Catalog& catalog, SessionLog& sessions,
                                                            WorkerPool* pool);

  // Takes the next message. True: that was the last one, and all is durable, with `cursor` moved to
  // where to go on. After a failure the load is over.
  //
  // Errors:
  //   DATA_LOSS ITEM_CORRUPT, UNIMPLEMENTED ITEM_TOO_NEW  this load is not to be had in one piece.
  //   ABORTED EPOCH_CHANGED                               it is of another history than `cursor`.
  //   all others                                          of the store.
  absl::StatusOr<bool> Take(v1::LoadResponse message, v1::Cursor& cursor);

  int64_t records() const { return open_.records(); }
  bool begun() const { return begun_; }

 private:
  InitialLoad(SessionLog& sessions, std::unique_ptr<BulkLoad> load);

  absl::Status TakePack(v1::LoadPack pack);
  absl::Status End(v1::Cursor& cursor);
  void Count();

  SessionLog& sessions_;
  const std::unique_ptr<BulkLoad> load_;
  v1::LoadOpen open_;
  bool begun_ = false;
};

// Whether such a failure means that records are better taken one by one.
bool IsUnloadable(const absl::Status& status);

}  // namespace sluice
