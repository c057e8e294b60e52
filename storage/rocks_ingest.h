// Rocks ingest: many sorted rows for a RocksDB database, written as table files beside it and then
// taken in by reference, all families at once.
//
// The files are complete and synced before RocksDB learns of them, and it learns of all of them in
// one record of its manifest. So after a crash there is all of it or nothing, without the
// write-ahead log; files of an ingest that did not come to its end are removed when the store is
// opened.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "rocksdb/db.h"
#include "rocksdb/sst_file_writer.h"
#include "storage/ordered_store.h"

namespace sluice {

class RocksIngest : public SortedIngest {
 public:
  // What RocksDB's refusal to take the files in comes to.
  using OnFailure = std::function<absl::Status(const rocksdb::Status&)>;

  // `handles` by family. `view_mutex` is held by whoever takes a snapshot. All must outlive the
  // ingest. Errors: the file system's on the directory.
  static absl::StatusOr<std::unique_ptr<SortedIngest>> Begin(
      rocksdb::DB& db, std::vector<rocksdb::ColumnFamilyHandle*> handles, Mutex& view_mutex,
      OnFailure on_failure);
  // Removes the files of an ingest that was broken off.
  static void RemoveLeftovers(rocksdb::DB& db);

  ~RocksIngest() override;
  RocksIngest(const RocksIngest&) = delete;
  RocksIngest& operator=(const RocksIngest&) = delete;

  absl::Status Put(Family family, absl::string_view key, absl::string_view value) override;
  absl::Status Commit() override;
  std::string ScratchDirectory() const override { return directory_; }

 private:
  struct FamilyFiles {
    std::unique_ptr<rocksdb::SstFileWriter> writer;  // Of the last file, while it is open.
    std::vector<std::string> paths;
  };

  RocksIngest(rocksdb::DB& db, std::vector<rocksdb::ColumnFamilyHandle*> handles, Mutex& view_mutex,
              OnFailure on_failure, std::string directory);
  absl::Status OpenFile(size_t family);
  static absl::Status Close(FamilyFiles& files);

  rocksdb::DB& db_;
  const std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  Mutex& view_mutex_;
  const OnFailure on_failure_;
  const std::string directory_;
  std::array<FamilyFiles, kFamilyCount> families_;
};

}  // namespace sluice
