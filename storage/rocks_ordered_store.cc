#include "storage/rocks_ordered_store.h"

#include <cstdarg>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/mutex.h"
#include "common/status.h"
#include "rocksdb/cache.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/options.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"
#include "storage/rocks_ingest.h"
#include "storage/rocks_status.h"

namespace sluice {
namespace {

constexpr size_t kBlockCacheBytes = size_t{32} << 20;
constexpr size_t kWriteBufferBytes = size_t{16} << 20;
constexpr uint64_t kLogBytesMax = uint64_t{64} << 20;
constexpr size_t kBlockBytes = 16 * 1024;
constexpr double kBloomBitsPerKey = 10;
// What the rows of one record begin with: the kind's byte and the id.
constexpr size_t kRecordPrefixBytes = 17;

rocksdb::Slice ToSlice(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view FromSlice(rocksdb::Slice slice) { return {slice.data(), slice.size()}; }

// RocksDB's own log, to nobody: it would go to a file beside the data, and RocksDB aborts when it
// writes to that again after the disk was full once. What matters comes as a status.
class NoLog : public rocksdb::Logger {
 public:
  NoLog() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

rocksdb::DBOptions DatabaseOptions(bool create, rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = create;
  options.create_missing_column_families = create;
  options.error_if_exists = create;
  options.paranoid_checks = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.track_and_verify_wals_in_manifest = true;
  options.info_log = std::make_shared<NoLog>();
  options.max_background_jobs = 2;
  // What is read again at a start, and what a family that seldom changes can hold on the disk.
  options.max_total_wal_size = kLogBytesMax;
  // Nothing is written any more after a write failed; see `Write`.
  options.max_bgerror_resume_count = 0;
  options.bytes_per_sync = 1 << 20;
  return options;
}

rocksdb::ColumnFamilyOptions FamilyOptions(Family family,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kWriteBufferBytes;
  options.compression = rocksdb::kLZ4Compression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = kBlockBytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // What is new is looked for before it is stored, by id: the filters know most of it for absent.
  if (family == Family::kRecords) {
    options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kRecordPrefixBytes));
  }
  return options;
}

// Whether a walk stays within the rows of one record. Says no of some that do.
bool StaysInRecord(Family family, absl::string_view from, absl::string_view until) {
  if (family != Family::kRecords || from.size() < kRecordPrefixBytes) return false;
  constexpr size_t kLast = kRecordPrefixBytes - 1;
  return until.size() == kRecordPrefixBytes && until.substr(0, kLast) == from.substr(0, kLast) &&
         static_cast<uint8_t>(until[kLast]) == static_cast<uint8_t>(from[kLast]) + 1;
}

// Walks one family. Holds the bound that RocksDB refers to.
class RocksCursor : public OrderedCursor {
 public:
  RocksCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* handle,
              const rocksdb::Snapshot* snapshot, absl::string_view from, absl::string_view until)
      : until_(until), until_slice_(until_) {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    options.total_order_seek = true;
    if (!until_.empty()) options.iterate_upper_bound = &until_slice_;
    // Who walks a whole family would push everything else out of the cache.
    options.fill_cache = !until_.empty() || !from.empty();
    iterator_.reset(db.NewIterator(options, handle));
    iterator_->Seek(ToSlice(from));
  }

  bool Valid() const override { return iterator_->Valid(); }
  void Next() override { iterator_->Next(); }
  absl::string_view key() const override { return FromSlice(iterator_->key()); }
  absl::string_view value() const override { return FromSlice(iterator_->value()); }
  absl::Status status() const override {
    return FromRocks(iterator_->status(), "reading the store");
  }

 private:
  const std::string until_;
  const rocksdb::Slice until_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace

class RocksOrderedStore::RocksView : public OrderedView {
 public:
  RocksView(rocksdb::DB& db, const Handles& handles)
      : db_(db), handles_(handles), snapshot_(db.GetSnapshot()) {}
  ~RocksView() override { db_.ReleaseSnapshot(snapshot_); }
  RocksView(const RocksView&) = delete;
  RocksView& operator=(const RocksView&) = delete;

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    std::string value;
    const rocksdb::Status status =
        db_.Get(options, handles_[static_cast<size_t>(family)], ToSlice(key), &value);
    if (status.IsNotFound()) {
      return absl::NotFoundError(
          absl::StrCat("no row ", absl::BytesToHexString(key), " in ", FamilyName(family)));
    }
    RETURN_IF_ERROR(FromRocks(status, absl::StrCat("reading ", FamilyName(family))));
    return value;
  }

  std::unique_ptr<OrderedCursor> Scan(Family family, absl::string_view from,
                                      absl::string_view until) const override {
    if (StaysInRecord(family, from, until)) return std::make_unique<RecordCursor>(*this, from);
    // An upper bound below the start is nothing that RocksDB allows for.
    const absl::string_view bound = !until.empty() && until < from ? from : until;
    return std::make_unique<RocksCursor>(db_, handles_[static_cast<size_t>(family)], snapshot_,
                                         from, bound);
  }

 private:
  // Walks the rows of one record, with an iterator that the walks of a view use in turn: to make
  // one costs more than to move it.
  class RecordCursor : public OrderedCursor {
   public:
    RecordCursor(const RocksView& view, absl::string_view from)
        : view_(view), iterator_(view.TakeIterator()) {
      iterator_->Seek(ToSlice(from));
    }
    ~RecordCursor() override { view_.GiveBack(std::move(iterator_)); }
    RecordCursor(const RecordCursor&) = delete;
    RecordCursor& operator=(const RecordCursor&) = delete;

    bool Valid() const override { return iterator_->Valid(); }
    void Next() override { iterator_->Next(); }
    absl::string_view key() const override { return FromSlice(iterator_->key()); }
    absl::string_view value() const override { return FromSlice(iterator_->value()); }
    absl::Status status() const override {
      return FromRocks(iterator_->status(), "reading the store");
    }

   private:
    const RocksView& view_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
  };

  std::unique_ptr<rocksdb::Iterator> TakeIterator() const {
    {
      MutexLock lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<rocksdb::Iterator> iterator = std::move(idle_.back());
        idle_.pop_back();
        return iterator;
      }
    }
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    options.prefix_same_as_start = true;
    return std::unique_ptr<rocksdb::Iterator>(
        db_.NewIterator(options, handles_[static_cast<size_t>(Family::kRecords)]));
  }

  void GiveBack(std::unique_ptr<rocksdb::Iterator> iterator) const {
    MutexLock lock(mutex_);
    idle_.push_back(std::move(iterator));
  }

  rocksdb::DB& db_;
  const Handles& handles_;
  const rocksdb::Snapshot* const snapshot_;
  mutable Mutex mutex_;
  mutable std::vector<std::unique_ptr<rocksdb::Iterator>> idle_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::unique_ptr<RocksOrderedStore>> RocksOrderedStore::OpenDatabase(
    absl::string_view directory, How how, rocksdb::Env* env) {
  const std::string path(directory);
  const bool create = how == How::kCreate;
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (int i = 0; i < kFamilyCount; ++i) {
    const auto family = static_cast<Family>(i);
    families.emplace_back(std::string(FamilyName(family)), FamilyOptions(family, cache));
  }
  // RocksDB insists on a family of its own. The size of its buffer decides how much of the disk is
  // taken for the log beforehand.
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, FamilyOptions(Family::kState, cache));

  std::vector<rocksdb::ColumnFamilyHandle*> opened;
  rocksdb::DB* db = nullptr;
  const rocksdb::DBOptions options = DatabaseOptions(create, env);
  const rocksdb::Status status =
      how == How::kRead ? rocksdb::DB::OpenForReadOnly(options, path, families, &opened, &db)
                        : rocksdb::DB::Open(options, path, families, &opened, &db);
  RETURN_IF_ERROR(
      FromRocks(status, absl::StrCat(create ? "making " : "opening ", "the store in ", path)));
  Handles handles{};
  for (size_t i = 0; i < handles.size(); ++i) handles[i] = opened[i];
  db->DestroyColumnFamilyHandle(opened.back());
  if (how != How::kRead) RocksIngest::RemoveLeftovers(*db);
  return std::unique_ptr<RocksOrderedStore>(
      new RocksOrderedStore(std::unique_ptr<rocksdb::DB>(db), handles));
}

absl::StatusOr<std::unique_ptr<RocksOrderedStore>> RocksOrderedStore::Create(
    absl::string_view directory) {
  if (OpenDatabase(directory, How::kOpen).ok()) {
    return absl::AlreadyExistsError(absl::StrCat("there is a store in ", directory, " already"));
  }
  return OpenDatabase(directory, How::kCreate);
}

absl::StatusOr<std::unique_ptr<RocksOrderedStore>> RocksOrderedStore::Open(
    absl::string_view directory) {
  absl::StatusOr<std::unique_ptr<RocksOrderedStore>> store = OpenDatabase(directory, How::kOpen);
  if (absl::IsNotFound(store.status())) {
    return absl::NotFoundError(
        absl::StrCat("there is no store in ", directory, "; run init first"));
  }
  return store;
}

absl::StatusOr<std::unique_ptr<RocksOrderedStore>> RocksOrderedStore::OpenCopy(
    absl::string_view directory, rocksdb::Env* env) {
  return OpenDatabase(directory, How::kRead, env);
}

int64_t RocksOrderedStore::SizeBytes() const {
  uint64_t bytes = 0;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    for (const std::string& part : {rocksdb::DB::Properties::kTotalSstFilesSize,
                                    rocksdb::DB::Properties::kCurSizeAllMemTables}) {
      uint64_t part_bytes = 0;
      if (db_->GetIntProperty(handle, part, &part_bytes)) bytes += part_bytes;
    }
  }
  return static_cast<int64_t>(bytes);
}

RocksOrderedStore::RocksOrderedStore(std::unique_ptr<rocksdb::DB> db, Handles handles)
    : db_(std::move(db)), handles_(handles) {}

RocksOrderedStore::~RocksOrderedStore() {
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
}

std::shared_ptr<const OrderedView> RocksOrderedStore::View() const {
  MutexLock lock(view_mutex_);
  return std::make_shared<RocksView>(*db_, handles_);
}

absl::Status RocksOrderedStore::Write(const WriteSet& changes) {
  rocksdb::WriteBatch batch;
  for (const WriteSet::Change& change : changes.changes()) {
    rocksdb::ColumnFamilyHandle* const handle = handles_[static_cast<size_t>(change.family)];
    const rocksdb::Status added = change.value.has_value()
                                      ? batch.Put(handle, change.key, *change.value)
                                      : batch.Delete(handle, change.key);
    RETURN_IF_ERROR(FromRocks(added, "collecting a write"));
  }
  RETURN_IF_ERROR(CheckUsable());
  rocksdb::WriteOptions options;
  options.sync = true;
  const rocksdb::Status written = db_->Write(options, &batch);
  return written.ok() ? absl::OkStatus() : Failed(written, "writing the store");
}

absl::StatusOr<std::unique_ptr<SortedIngest>> RocksOrderedStore::BeginIngest() {
  RETURN_IF_ERROR(CheckUsable());
  return RocksIngest::Begin(*db_, {handles_.begin(), handles_.end()}, view_mutex_,
                            [this](const rocksdb::Status& status) {
                              return Failed(status, "taking rows into the store");
                            });
}

absl::Status RocksOrderedStore::CheckUsable() const {
  if (!failed_) return absl::OkStatus();
  return MakeError(v1::REASON_STORE_WRITE_FAILED,
                   "a write failed before, and none was tried since");
}

// RocksDB would write on to the log in which a write failed, and abort, also after it has resumed
// (facebook/rocksdb issues 11643 and 12998). Opened anew, it begins another log.
absl::Status RocksOrderedStore::Failed(const rocksdb::Status& status, absl::string_view what) {
  failed_ = true;
  return WithReason(FromRocks(status, what), v1::REASON_STORE_WRITE_FAILED);
}

}  // namespace sluice
