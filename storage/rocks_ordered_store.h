// Rocks ordered store: an ordered store in a RocksDB database, one column family a family.
//
// Every write is synced before it returns. RocksDB may open "OK" after it lost synced rows with a
// damaged log, so whoever opens the store compares it with its anchor (storage/anchor.h).
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "rocksdb/db.h"
#include "storage/ordered_store.h"

namespace sluice {

class RocksOrderedStore : public OrderedStore {
 public:
  // Makes an empty database in `directory`. Errors: ALREADY_EXISTS there is one.
  static absl::StatusOr<std::unique_ptr<RocksOrderedStore>> Create(absl::string_view directory);

  // Errors:
  //   NOT_FOUND                         there is none; init makes one.
  //   FAILED_PRECONDITION STORE_LOCKED  another process has it open.
  //   DATA_LOSS STORE_CORRUPT           it is damaged.
  static absl::StatusOr<std::unique_ptr<RocksOrderedStore>> Open(absl::string_view directory);

  // Opens a copy of a store, as one in a backup, for reading only. `env` is where it is; it must
  // outlive the store. Errors: those of Open.
  static absl::StatusOr<std::unique_ptr<RocksOrderedStore>> OpenCopy(absl::string_view directory,
                                                                     rocksdb::Env* env);

  // About what all of it takes on disk.
  int64_t SizeBytes() const;

  // For those who copy it; nobody else writes to it.
  rocksdb::DB& database() { return *db_; }

  // A view must be gone before the store is.
  std::shared_ptr<const OrderedView> View() const override;
  // After a failure it writes nothing more until it is opened anew: STORE_WRITE_FAILED.
  absl::Status Write(const WriteSet& changes) override;
  absl::StatusOr<std::unique_ptr<SortedIngest>> BeginIngest() override;

  ~RocksOrderedStore() override;

 private:
  class RocksView;
  using Handles = std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount>;

  RocksOrderedStore(std::unique_ptr<rocksdb::DB> db, Handles handles);
  // Nothing is written any more once a write failed; see `Write`.
  absl::Status CheckUsable() const;
  absl::Status Failed(const rocksdb::Status& status, absl::string_view what);
  enum class How { kCreate, kOpen, kRead };
  static absl::StatusOr<std::unique_ptr<RocksOrderedStore>> OpenDatabase(
      absl::string_view directory, How how, rocksdb::Env* env = rocksdb::Env::Default());

  std::atomic<bool> failed_ = false;
  // Held while a view is taken, and by an ingest's commit, during which there must be no new one.
  mutable Mutex view_mutex_;
  std::unique_ptr<rocksdb::DB> db_;
  Handles handles_;  // By family.
};

}  // namespace sluice
