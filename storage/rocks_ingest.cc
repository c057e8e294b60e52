#include "storage/rocks_ingest.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/file_io.h"
#include "common/status.h"
#include "rocksdb/options.h"
#include "storage/rocks_status.h"

namespace sluice {
namespace {

constexpr int kDirectoryMode = 0750;
// A family's rows are divided, so that no compaction later has to rewrite all of them.
constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;

std::string DirectoryIn(rocksdb::DB& db) { return db.GetName() + "/ingest"; }

rocksdb::Slice ToSlice(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::StatusOr<std::unique_ptr<SortedIngest>> RocksIngest::Begin(
    rocksdb::DB& db, std::vector<rocksdb::ColumnFamilyHandle*> handles, Mutex& view_mutex,
    OnFailure on_failure) {
  RemoveLeftovers(db);
  std::string directory = DirectoryIn(db);
  RETURN_IF_ERROR(MakeDirectory(directory, kDirectoryMode));
  return std::unique_ptr<SortedIngest>(new RocksIngest(
      db, std::move(handles), view_mutex, std::move(on_failure), std::move(directory)));
}

void RocksIngest::RemoveLeftovers(rocksdb::DB& db) {
  std::error_code ignored;  // What cannot be removed takes room and does no other harm.
  std::filesystem::remove_all(DirectoryIn(db), ignored);
}

RocksIngest::RocksIngest(rocksdb::DB& db, std::vector<rocksdb::ColumnFamilyHandle*> handles,
                         Mutex& view_mutex, OnFailure on_failure, std::string directory)
    : db_(db),
      handles_(std::move(handles)),
      view_mutex_(view_mutex),
      on_failure_(std::move(on_failure)),
      directory_(std::move(directory)) {}

RocksIngest::~RocksIngest() {
  for (FamilyFiles& files : families_) files.writer.reset();
  RemoveLeftovers(db_);
}

absl::Status RocksIngest::OpenFile(size_t family) {
  FamilyFiles& files = families_[family];
  rocksdb::Options options = db_.GetOptions(handles_[family]);
  // Digests and ids, mostly, save for records. What a compaction rewrites later is compressed then.
  const bool records = family == static_cast<size_t>(Family::kRecords);
  if (!records) options.compression = rocksdb::kNoCompression;
  files.paths.push_back(absl::StrCat(directory_, "/", family, "-", files.paths.size() + 1, ".sst"));
  files.writer = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(options), options,
                                                          handles_[family],
                                                          /*invalidate_page_cache=*/false);
  return FromRocks(files.writer->Open(files.paths.back()), "opening a table file");
}

absl::Status RocksIngest::Close(FamilyFiles& files) {
  if (files.writer == nullptr) return absl::OkStatus();
  // Also syncs.
  const rocksdb::Status finished = files.writer->Finish();
  files.writer.reset();
  return FromRocks(finished, "ending a table file");
}

absl::Status RocksIngest::Put(Family family, absl::string_view key, absl::string_view value) {
  const auto index = static_cast<size_t>(family);
  FamilyFiles& files = families_[index];
  if (files.writer == nullptr) RETURN_IF_ERROR(OpenFile(index));
  const rocksdb::Status put = files.writer->Put(ToSlice(key), ToSlice(value));
  if (put.IsInvalidArgument()) {
    return absl::InvalidArgumentError(absl::StrCat("row ", absl::BytesToHexString(key), " in ",
                                                   FamilyName(family), " is out of order"));
  }
  RETURN_IF_ERROR(FromRocks(put, "writing a table file"));
  return files.writer->FileSize() < kFileBytesMax ? absl::OkStatus() : Close(files);
}

absl::Status RocksIngest::Commit() {
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  for (size_t i = 0; i < families_.size(); ++i) {
    RETURN_IF_ERROR(Close(families_[i]));
    if (families_[i].paths.empty()) continue;
    rocksdb::IngestExternalFileArg argument;
    argument.column_family = handles_[i];
    argument.external_files = families_[i].paths;
    argument.options.move_files = true;
    argument.options.failed_move_fall_back_to_copy = true;
    // The number goes to the manifest alone; the files are synced already.
    argument.options.write_global_seqno = false;
    arguments.push_back(std::move(argument));
  }
  if (arguments.empty()) return absl::OkStatus();
  // RocksDB numbers the rows as newer than all that were there when it has a snapshot, and else
  // takes them in without number, which shows in every view. So none is taken meanwhile. Numbers
  // cost something: they are removed later, by a compaction of all that was taken in.
  MutexLock no_view(view_mutex_);
  const rocksdb::Status taken = db_.IngestExternalFiles(arguments);
  return taken.ok() ? absl::OkStatus() : on_failure_(taken);
}

}  // namespace sluice
