#include "storage/backup_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/file_io.h"
#include "common/status.h"
#include "rocksdb/env.h"
#include "rocksdb/utilities/backup_engine.h"
#include "storage/catalog.h"
#include "storage/rocks_status.h"

namespace sluice {
namespace {

constexpr int kDirectoryMode = 0750;
constexpr uint64_t kProgressBytes = uint64_t{4} << 20;

std::string MarkerPath(const std::string& path) { return path + "/.sluice-backups"; }

// RocksDB makes it with the first backup, and would make it when asked what there is.
bool HoldsBackups(const std::string& path) { return access((path + "/meta").c_str(), F_OK) == 0; }

rocksdb::BackupEngineOptions EngineOptions(const std::string& path) {
  rocksdb::BackupEngineOptions options(path);
  options.callback_trigger_interval_size = kProgressBytes;
  return options;
}

absl::StatusOr<std::unique_ptr<rocksdb::BackupEngineReadOnly>> OpenForReading(
    const std::string& path) {
  if (!HoldsBackups(path)) return FileError(errno, "looking for backups in", path);
  rocksdb::BackupEngineReadOnly* engine = nullptr;
  const rocksdb::Status status =
      rocksdb::BackupEngineReadOnly::Open(EngineOptions(path), rocksdb::Env::Default(), &engine);
  RETURN_IF_ERROR(FromBackup(status, absl::StrCat("opening the backups in ", path)));
  return std::unique_ptr<rocksdb::BackupEngineReadOnly>(engine);
}

// Also removes what a backup that was broken off has left.
absl::StatusOr<std::unique_ptr<rocksdb::BackupEngine>> OpenForWriting(const std::string& path) {
  rocksdb::BackupEngine* engine = nullptr;
  const rocksdb::Status status =
      rocksdb::BackupEngine::Open(EngineOptions(path), rocksdb::Env::Default(), &engine);
  RETURN_IF_ERROR(FromBackup(status, absl::StrCat("opening the backups in ", path)));
  return std::unique_ptr<rocksdb::BackupEngine>(engine);
}

absl::Status NoSuchBackup(uint32_t id, const std::string& path) {
  return MakeError(v1::REASON_ITEM_NOT_FOUND,
                   id == 0 ? absl::StrCat("there is no backup in ", path)
                           : absl::StrCat("there is no backup ", id, " in ", path));
}

absl::Status Damaged(uint32_t id, absl::string_view what) {
  return MakeError(v1::REASON_BACKUP_CORRUPT, absl::StrCat("backup ", id, ": ", what));
}

absl::StatusOr<StoredBackup> NoteOf(const rocksdb::BackupInfo& info) {
  StoredBackup backup;
  backup.id = info.backup_id;
  backup.made_at = absl::FromUnixSeconds(info.timestamp);
  backup.size_bytes = static_cast<int64_t>(info.size);
  if (!backup.note.ParseFromString(info.app_metadata)) {
    return Damaged(info.backup_id, "its note cannot be read");
  }
  return backup;
}

// The backup `id`, with how to open it. 0: the newest that is whole.
absl::StatusOr<rocksdb::BackupInfo> Find(const rocksdb::BackupEngineReadOnlyBase& engine,
                                         uint32_t id, const std::string& path) {
  rocksdb::BackupInfo info;
  const rocksdb::Status status =
      id == 0 ? engine.GetLatestBackupInfo(&info, true) : engine.GetBackupInfo(id, &info, true);
  if (status.IsNotFound()) return NoSuchBackup(id, path);
  RETURN_IF_ERROR(FromBackup(status, absl::StrCat("backup ", id)));
  return info;
}

// Takes the directory for this process and node, until the file is closed.
absl::StatusOr<File> Take(const std::string& path, const Uuid& node_id) {
  RETURN_IF_ERROR(MakeDirectory(path, kDirectoryMode));
  const std::string marker = MarkerPath(path);
  const absl::StatusOr<std::string> owner = ReadSmallFile(marker);
  if (absl::IsNotFound(owner.status())) {
    RETURN_IF_ERROR(WriteSmallFile(marker, node_id.ToString() + "\n"));
  } else if (!owner.ok()) {
    return owner.status();
  } else if (absl::StripAsciiWhitespace(*owner) != node_id.ToString()) {
    return MakeError(
        v1::REASON_STORE_IDENTITY,
        absl::StrCat("the backups in ", path, " are those of node ",
                     absl::StripAsciiWhitespace(*owner), ", this is node ", node_id.ToString()));
  }
  File file(open(marker.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) return FileError(errno, "opening", marker);
  if (flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    return MakeError(v1::REASON_STORE_LOCKED,
                     absl::StrCat("another process writes a backup to ", path));
  }
  return file;
}

// Opens what was copied as a store: it holds the node, the epoch and at least the seq of its note.
absl::Status CompareWithNote(const rocksdb::BackupInfo& info, const StoredBackup& backup) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RocksOrderedStore> store,
                   RocksOrderedStore::OpenCopy(info.name_for_open, info.env_for_open.get()));
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, CatalogReader(store->View()).State());
  const bool same = state.node_id() == backup.note.node_id() &&
                    state.epoch().epoch_id() == backup.note.epoch().epoch_id() &&
                    state.head_seq() >= backup.note.head_seq();
  return same ? absl::OkStatus() : Damaged(backup.id, "it does not hold what its note says");
}

}  // namespace

absl::StatusOr<StoredBackup> BackupDirectory::Create(RocksOrderedStore& store,
                                                     const stored::v1::BackupNote& note,
                                                     const SpaceGuard& guard,
                                                     const Progress& progress) {
  ASSIGN_OR_RETURN(const Uuid node_id, Uuid::FromBytes(note.node_id()));
  ASSIGN_OR_RETURN(const File taken, Take(path_, node_id));
  RETURN_IF_ERROR(guard.Check(v1::REASON_STORE_NO_SPACE, store.SizeBytes()));
  ASSIGN_OR_RETURN(const std::unique_ptr<rocksdb::BackupEngine> engine, OpenForWriting(path_));
  rocksdb::CreateBackupOptions options;
  // Without it, what is in memory alone would be copied as log, which a later backup cannot share.
  options.flush_before_backup = true;
  int64_t copied_bytes = 0;
  bool broken_off = false;
  options.progress_callback = [&] {
    copied_bytes += static_cast<int64_t>(kProgressBytes);
    if (broken_off || progress(copied_bytes)) return;
    broken_off = true;
    engine->StopBackup();
  };
  rocksdb::BackupID id = 0;
  const rocksdb::Status made = engine->CreateNewBackupWithMetadata(options, &store.database(),
                                                                   note.SerializeAsString(), &id);
  if (!made.ok() && broken_off) return absl::CancelledError("the backup was broken off");
  RETURN_IF_ERROR(FromBackup(made, absl::StrCat("writing a backup to ", path_)));
  ASSIGN_OR_RETURN(const rocksdb::BackupInfo info, Find(*engine, id, path_));
  return NoteOf(info);
}

absl::StatusOr<std::vector<StoredBackup>> BackupDirectory::List() const {
  if (!HoldsBackups(path_) && errno == ENOENT) return std::vector<StoredBackup>();
  ASSIGN_OR_RETURN(const auto engine, OpenForReading(path_));
  std::vector<rocksdb::BackupInfo> infos;
  engine->GetBackupInfo(&infos);
  std::vector<StoredBackup> backups;
  for (const rocksdb::BackupInfo& info : infos) {
    absl::StatusOr<StoredBackup> backup = NoteOf(info);
    if (backup.ok()) backups.push_back(*std::move(backup));
  }
  return backups;
}

absl::StatusOr<StoredBackup> BackupDirectory::Describe(uint32_t id) const {
  ASSIGN_OR_RETURN(const auto engine, OpenForReading(path_));
  ASSIGN_OR_RETURN(const rocksdb::BackupInfo info, Find(*engine, id, path_));
  return NoteOf(info);
}

absl::StatusOr<StoredBackup> BackupDirectory::Verify(uint32_t id) const {
  ASSIGN_OR_RETURN(const auto engine, OpenForReading(path_));
  ASSIGN_OR_RETURN(const rocksdb::BackupInfo info, Find(*engine, id, path_));
  ASSIGN_OR_RETURN(StoredBackup backup, NoteOf(info));
  RETURN_IF_ERROR(FromBackup(engine->VerifyBackup(info.backup_id, /*verify_with_checksum=*/true),
                             absl::StrCat("backup ", info.backup_id)));
  RETURN_IF_ERROR(CompareWithNote(info, backup));
  return backup;
}

absl::Status BackupDirectory::Delete(uint32_t id) {
  ASSIGN_OR_RETURN(const std::vector<StoredBackup> present, List());
  for (const StoredBackup& backup : present) {
    if (backup.id != id) continue;
    ASSIGN_OR_RETURN(const Uuid node_id, Uuid::FromBytes(backup.note.node_id()));
    ASSIGN_OR_RETURN(const File taken, Take(path_, node_id));
    ASSIGN_OR_RETURN(const auto engine, OpenForWriting(path_));
    return FromBackup(engine->DeleteBackup(id), absl::StrCat("deleting backup ", id));
  }
  return NoSuchBackup(id, path_);
}

absl::StatusOr<StoredBackup> BackupDirectory::Restore(uint32_t id,
                                                      const std::string& store_directory) const {
  ASSIGN_OR_RETURN(const auto engine, OpenForReading(path_));
  ASSIGN_OR_RETURN(const rocksdb::BackupInfo info, Find(*engine, id, path_));
  ASSIGN_OR_RETURN(StoredBackup backup, NoteOf(info));
  RETURN_IF_ERROR(CompareWithNote(info, backup));
  RETURN_IF_ERROR(
      FromBackup(engine->RestoreDBFromBackup(info.backup_id, store_directory, store_directory),
                 absl::StrCat("restoring backup ", info.backup_id, " to ", store_directory)));
  return backup;
}

}  // namespace sluice
