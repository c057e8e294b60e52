// State directory: all that a node keeps on disk, as one thing that is made, locked, opened and
// recovered.
//
//   <dir>/node.id    the node's UUID in text; must be that of the store
//   <dir>/lock       held while a process uses the directory; says which
//   <dir>/db/        the ordered store
//   <dir>/anchor     the witness beside it
//   <dir>/ballast    space to give away in need
//   <content dir>    the files, with a marker that says whose they are
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/file_io.h"
#include "common/uuid.h"
#include "storage/backup_directory.h"
#include "storage/ballast.h"
#include "storage/catalog.h"
#include "storage/file_anchor.h"
#include "storage/file_content_store.h"
#include "storage/guarded_ordered_store.h"
#include "storage/promotion.h"
#include "storage/rocks_ordered_store.h"

namespace sluice {

struct StatePaths {
  std::string state_dir;
  std::string content_dir;
  // On the volumes of both; nothing is written that would leave less.
  int64_t keep_free_bytes = int64_t{256} << 20;
  // See storage/ballast.h; 0: none.
  int64_t ballast_bytes = 0;
};

// What a new node is to be.
struct NewNode {
  v1::NodeMode mode = v1::NODE_MODE_UNSPECIFIED;
  std::optional<Uuid> id;  // None: a random one.
};

class StateDirectory {
 public:
  // Makes a new node and returns its id. Directories may exist, an initialised one may not.
  //
  // Errors:
  //   ALREADY_EXISTS  the directory holds a node; the message names it.
  //   PERMISSION_DENIED, RESOURCE_EXHAUSTED  of the file system, naming the path.
  static absl::StatusOr<Uuid> Init(const StatePaths& paths, Clock& clock, const NewNode& node = {});

  // The node that it holds; it may be in use. Errors: NOT_FOUND it was not initialised.
  static absl::StatusOr<Uuid> NodeIn(const StatePaths& paths);

  // Locks and opens it. `mode`: the place in the tree that the node must have; unspecified: any.
  //
  // Errors:
  //   NOT_FOUND                            it was not initialised.
  //   FAILED_PRECONDITION STORE_LOCKED     used by another process; the message names it.
  //   FAILED_PRECONDITION STORE_IDENTITY   store, identity file and content are not of one node, or
  //                                        the node has another place in the tree.
  //   DATA_LOSS STORE_BEHIND_ANCHOR        acknowledged writes are gone; `Recover` accepts that.
  static absl::StatusOr<std::unique_ptr<StateDirectory>> Open(
      const StatePaths& paths, v1::NodeMode mode = v1::NODE_MODE_UNSPECIFIED);

  // Begins a new epoch, so that a store behind its anchor can be used again.
  static absl::Status Recover(const StatePaths& paths, Clock& clock);

  // Makes the node of a backup (`id`; 0: the newest) anew, in a state directory that holds none. It
  // begins a new epoch, so that nodes below compare. A content directory of the same node is taken
  // over, files and all.
  //
  // Errors: those of Init and of BackupDirectory::Restore; FAILED_PRECONDITION STORE_IDENTITY the
  // backup is of a node with another place in the tree, or the content directory another node's.
  static absl::StatusOr<StoredBackup> Restore(const StatePaths& paths,
                                              const BackupDirectory& backups, uint32_t id,
                                              v1::NodeMode mode, Clock& clock);

  // Makes a node that follows another the root of a tree, in a new epoch. What it kept of histories
  // that its upstream lost is its own from now on. Can be repeated when it was broken off.
  //
  // Errors: those of Open; FAILED_PRECONDITION it is a root already.
  static absl::StatusOr<Promotion> Promote(const StatePaths& paths, Clock& clock);

  Catalog& catalog() { return *catalog_; }
  // For backups alone; all else goes through the catalog.
  RocksOrderedStore& store() { return *store_; }
  FileContentStore& content() { return *content_; }

  // Whether something can be written to both. Errors: STORE_NO_SPACE, CONTENT_NO_SPACE.
  absl::Status CheckSpace() const;

  const Ballast& ballast() const { return ballast_; }
  // As those of Ballast.
  absl::Status ReserveBallast();
  absl::Status ReleaseBallast();
  // On the volume of the store, with the ballast in place and without, and on that of the files.
  const SpaceGuard& store_space() const { return store_space_; }
  const SpaceGuard& last_store_space() const { return last_store_space_; }
  const SpaceGuard& content_space() const { return content_space_; }

 private:
  explicit StateDirectory(const StatePaths& paths);

  const SpaceGuard store_space_;
  const SpaceGuard last_store_space_;
  const SpaceGuard content_space_;
  Ballast ballast_;
  File lock_;
  std::unique_ptr<RocksOrderedStore> store_;
  std::unique_ptr<GuardedOrderedStore> guarded_;
  std::unique_ptr<FileAnchor> anchor_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<FileContentStore> content_;
};

}  // namespace sluice
