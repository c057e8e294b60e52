// Rocks status: the one place where RocksDB's statuses become ours.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/status.h"

namespace sluice {

// `context` says what was being done, as in "opening /var/lib/sluice/db".
absl::Status FromRocks(const rocksdb::Status& status, absl::string_view context);

// The same for what reads and writes backups: what is not a matter of space or permission is
// BACKUP_CORRUPT.
absl::Status FromBackup(const rocksdb::Status& status, absl::string_view context);

}  // namespace sluice
