// State directory: all that a node keeps on disk, as one thing that is made, locked, opened and
// recovered.
//
//   <dir>/node.id    the node's UUID in text; must be that of the store
//   <dir>/lock       held while a process uses the directory; says which
//   <dir>/db/        the ordered store
//   <dir>/anchor     the witness beside it
//   <content dir>    the files, with a marker that says whose they are
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/file_io.h"
#include "common/uuid.h"
#include "storage/catalog.h"
#include "storage/file_anchor.h"
#include "storage/file_content_store.h"
#include "storage/guarded_ordered_store.h"
#include "storage/rocks_ordered_store.h"

namespace sluice {

struct StatePaths {
  std::string state_dir;
  std::string content_dir;
  // On the volumes of both; nothing is written that would leave less.
  int64_t keep_free_bytes = int64_t{256} << 20;
};

class StateDirectory {
 public:
  // Makes a new node and returns its id. Directories may exist, an initialised one may not.
  //
  // Errors:
  //   ALREADY_EXISTS  the directory holds a node; the message names it.
  //   PERMISSION_DENIED, RESOURCE_EXHAUSTED  of the file system, naming the path.
  static absl::StatusOr<Uuid> Init(const StatePaths& paths, Clock& clock);

  // Locks and opens it.
  //
  // Errors:
  //   NOT_FOUND                            it was not initialised.
  //   FAILED_PRECONDITION STORE_LOCKED     used by another process; the message names it.
  //   FAILED_PRECONDITION STORE_IDENTITY   store, identity file and content are not of one node.
  //   DATA_LOSS STORE_BEHIND_ANCHOR        acknowledged writes are gone; `Recover` accepts that.
  static absl::StatusOr<std::unique_ptr<StateDirectory>> Open(const StatePaths& paths);

  // Begins a new epoch, so that a store behind its anchor can be used again.
  static absl::Status Recover(const StatePaths& paths, Clock& clock);

  Catalog& catalog() { return *catalog_; }
  FileContentStore& content() { return *content_; }

  // Whether something can be written to both. Errors: STORE_NO_SPACE, CONTENT_NO_SPACE.
  absl::Status CheckSpace() const;

 private:
  explicit StateDirectory(StatePaths paths) : paths_(std::move(paths)) {}

  const StatePaths paths_;

  File lock_;
  std::unique_ptr<RocksOrderedStore> store_;
  std::unique_ptr<GuardedOrderedStore> guarded_;
  std::unique_ptr<FileAnchor> anchor_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<FileContentStore> content_;
};

}  // namespace sluice
