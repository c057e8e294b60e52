// Backup directory: copies of a node's store, made while the node uses it.
//
// Tables that several backups share are there once, so a daily backup costs what has changed since.
// Every file has a checksum. The files of updates are not in it: they never change, so any copy of
// the content directory is as good as another, and a node fetches again what it lacks.
//
//   <dir>/.sluice-backups            the id of the node whose backups these are
//   <dir>/meta private shared_…      kept by RocksDB's backup engine
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/uuid.h"
#include "sluice/stored/v1/stored.pb.h"
#include "storage/rocks_ordered_store.h"
#include "storage/space_guard.h"

namespace sluice {

struct StoredBackup {
  uint32_t id = 0;  // Counts up from 1.
  absl::Time made_at;
  int64_t size_bytes = 0;  // Of all its files, also those that it shares with others.
  stored::v1::BackupNote note;
};

class BackupDirectory {
 public:
  // Is told the bytes that were copied so far, every few MiB; false breaks off.
  using Progress = std::function<bool(int64_t copied_bytes)>;

  explicit BackupDirectory(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }

  // Copies `store` as it is now, with all that was acknowledged before; writers are not held up.
  // `note.node_id` is whose store it is. Makes the directory where there is none.
  //
  // Errors:
  //   FAILED_PRECONDITION STORE_LOCKED    another process makes a backup there.
  //   FAILED_PRECONDITION STORE_IDENTITY  the directory has the backups of another node.
  //   RESOURCE_EXHAUSTED STORE_NO_SPACE   `guard` says that it would not fit.
  //   CANCELLED                           `progress` broke it off; nothing is left of it.
  absl::StatusOr<StoredBackup> Create(RocksOrderedStore& store, const stored::v1::BackupNote& note,
                                      const SpaceGuard& guard, const Progress& progress);

  // Oldest first; empty where there is no directory. Damaged ones are left out.
  absl::StatusOr<std::vector<StoredBackup>> List() const;

  // What a backup (0: the newest) says about itself. Errors: those of Verify.
  absl::StatusOr<StoredBackup> Describe(uint32_t id) const;

  // Reads every file of a backup, opens it, and compares its state with its note.
  //
  // Errors:
  //   NOT_FOUND ITEM_NOT_FOUND   there is none with that id.
  //   DATA_LOSS BACKUP_CORRUPT   it is damaged; the message names the file.
  absl::StatusOr<StoredBackup> Verify(uint32_t id) const;

  // Deletes one, with the files that no other backup shares. Errors: those of Verify.
  absl::Status Delete(uint32_t id);

  // Writes the store of a backup (0: the newest) to `store_directory`, checked while it is copied.
  // What is there is replaced. Errors: those of Verify.
  absl::StatusOr<StoredBackup> Restore(uint32_t id, const std::string& store_directory) const;

 private:
  const std::string path_;
};

}  // namespace sluice
