#include "storage/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr int kDirectoryMode = 0750;
// The share of `keep_free_bytes` that is kept while the ballast is released.
constexpr int64_t kKeptWithoutBallast = 4;
constexpr absl::string_view kContentMarker = ".sluice-content";

std::string IdentityPath(const StatePaths& paths) { return paths.state_dir + "/node.id"; }
std::string StorePath(const StatePaths& paths) { return paths.state_dir + "/db"; }
std::string AnchorPath(const StatePaths& paths) { return paths.state_dir + "/anchor"; }
std::string MarkerPath(const StatePaths& paths) {
  return absl::StrCat(paths.content_dir, "/", kContentMarker);
}

// Takes the directory for this process, until the file is closed.
absl::StatusOr<File> Lock(const StatePaths& paths) {
  const std::string path = paths.state_dir + "/lock";
  File file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.is_open()) return FileError(errno, "opening", path);
  if (flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    const absl::StatusOr<std::string> holder = ReadSmallFile(path);
    return MakeError(v1::REASON_STORE_LOCKED,
                     absl::StrCat("state directory ", paths.state_dir, " is used by process ",
                                  absl::StripAsciiWhitespace(holder.value_or("?"))));
  }
  if (ftruncate(file.descriptor(), 0) != 0) return FileError(errno, "truncating", path);
  RETURN_IF_ERROR(WriteAll(file, absl::StrCat(getpid(), "\n"), path));
  return file;
}

absl::StatusOr<Uuid> ReadId(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path));
  const absl::StatusOr<Uuid> id = Uuid::Parse(absl::StripAsciiWhitespace(text));
  return id.ok() ? id : Annotate(id.status(), absl::StrCat("reading ", path));
}

absl::Status WrongNode(const std::string& path, const Uuid& there, const Uuid& expected) {
  return MakeError(v1::REASON_STORE_IDENTITY,
                   absl::StrCat(path, " is of node ", there.ToString(), ", the store of node ",
                                expected.ToString()));
}

// Whether the identity file and the content directory are those of the store's node.
absl::Status CheckIdentity(const StatePaths& paths, const Uuid& node_id) {
  ASSIGN_OR_RETURN(const Uuid identity, ReadId(IdentityPath(paths)));
  if (identity != node_id) return WrongNode(IdentityPath(paths), identity, node_id);
  const absl::StatusOr<Uuid> marker = ReadId(MarkerPath(paths));
  if (absl::IsNotFound(marker.status())) {
    return MakeError(
        v1::REASON_STORE_IDENTITY,
        absl::StrCat(MarkerPath(paths), " is absent: is the right volume mounted at content_dir?"));
  }
  RETURN_IF_ERROR(marker.status());
  return *marker == node_id ? absl::OkStatus() : WrongNode(MarkerPath(paths), *marker, node_id);
}

// Whether a node of mode `is` may be started as one of mode `wanted`.
absl::Status CheckMode(const StatePaths& paths, v1::NodeMode is, v1::NodeMode wanted) {
  if (wanted == v1::NODE_MODE_UNSPECIFIED || is == wanted) return absl::OkStatus();
  const bool autonomous = wanted == v1::NODE_MODE_AUTONOMOUS;
  if (is == v1::NODE_MODE_UNSPECIFIED && !autonomous) return absl::OkStatus();
  if (is != v1::NODE_MODE_ROOT && wanted != v1::NODE_MODE_ROOT) {
    const absl::string_view other = autonomous ? "autonomous" : "replica";
    const absl::string_view own = autonomous ? "replica" : "autonomous";
    return MakeError(
        v1::REASON_STORE_IDENTITY,
        absl::StrCat("state directory ", paths.state_dir, " is that of a node of mode ", own,
                     ", the configuration says ", other, "; say mode: ", own,
                     ", or make a new node with init in an empty directory"));
  }
  return MakeError(
      v1::REASON_STORE_IDENTITY,
      is == v1::NODE_MODE_ROOT
          ? absl::StrCat("state directory ", paths.state_dir,
                         " is that of the root of a tree; start it with sluice-upstreamd")
          : absl::StrCat("state directory ", paths.state_dir,
                         " is that of a node that follows another; start it with "
                         "sluice-downstreamd, or make it the root with sluice-upstreamd promote"));
}

// Whether the content directory may be a new node's, or an old one's own again.
absl::Status CheckContentIsFree(const StatePaths& paths, const Uuid& node_id) {
  const absl::StatusOr<Uuid> present = ReadId(MarkerPath(paths));
  if (absl::IsNotFound(present.status()) || (present.ok() && *present == node_id)) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(present.status());
  return WrongNode(MarkerPath(paths), *present, node_id);
}

absl::Status CheckHoldsNoNode(const StatePaths& paths) {
  const absl::StatusOr<Uuid> present = ReadId(IdentityPath(paths));
  if (!present.ok()) {
    // An identity that was lost is no reason to replace the store that it belonged to.
    if (access(StorePath(paths).c_str(), F_OK) != 0) return absl::OkStatus();
    return absl::AlreadyExistsError(absl::StrCat("state directory ", paths.state_dir,
                                                 " holds a store already, though no node.id"));
  }
  return absl::AlreadyExistsError(absl::StrCat("state directory ", paths.state_dir, " holds node ",
                                               present->ToString(), " already"));
}

// The last step of making a node: with the identity file the directory counts as initialised.
absl::Status WriteIdentity(const StatePaths& paths, const Uuid& node_id) {
  RETURN_IF_ERROR(FileContentStore::Open(paths.content_dir).status());
  RETURN_IF_ERROR(WriteSmallFile(MarkerPath(paths), node_id.ToString() + "\n"));
  return WriteSmallFile(IdentityPath(paths), node_id.ToString() + "\n");
}

// Makes a directory and those above it.
absl::Status MakeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    RETURN_IF_ERROR(MakeDirectory(path.substr(0, slash), kDirectoryMode));
  }
  return MakeDirectory(path, kDirectoryMode);
}

absl::Status NotInitialised(const StatePaths& paths) {
  return absl::NotFoundError(
      absl::StrCat("state directory ", paths.state_dir, " holds no node; run init first"));
}

}  // namespace

absl::StatusOr<Uuid> StateDirectory::NodeIn(const StatePaths& paths) {
  return ReadId(IdentityPath(paths));
}

absl::StatusOr<Uuid> StateDirectory::Init(const StatePaths& paths, Clock& clock,
                                          const NewNode& node) {
  RETURN_IF_ERROR(MakeDirectories(paths.state_dir));
  ASSIGN_OR_RETURN(const File lock, Lock(paths));
  RETURN_IF_ERROR(CheckHoldsNoNode(paths));
  RETURN_IF_ERROR(MakeDirectories(paths.content_dir));
  if (const absl::StatusOr<Uuid> present = ReadId(MarkerPath(paths)); present.ok()) {
    return absl::AlreadyExistsError(absl::StrCat("content directory ", paths.content_dir,
                                                 " belongs to node ", present->ToString()));
  }
  const Uuid node_id = node.id.value_or(Uuid::Random());
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<RocksOrderedStore> store,
                     RocksOrderedStore::Create(StorePath(paths)));
    ASSIGN_OR_RETURN(const std::unique_ptr<FileAnchor> anchor, FileAnchor::Open(AnchorPath(paths)));
    RETURN_IF_ERROR(Catalog::Create(*store, *anchor, node_id, clock, node.mode));
  }
  RETURN_IF_ERROR(WriteIdentity(paths, node_id));
  return node_id;
}

absl::StatusOr<std::unique_ptr<StateDirectory>> StateDirectory::Open(const StatePaths& paths,
                                                                     v1::NodeMode mode) {
  if (absl::IsNotFound(ReadId(IdentityPath(paths)).status())) return NotInitialised(paths);
  auto state = std::unique_ptr<StateDirectory>(new StateDirectory(paths));
  ASSIGN_OR_RETURN(state->lock_, Lock(paths));
  ASSIGN_OR_RETURN(state->store_, RocksOrderedStore::Open(StorePath(paths)));
  ASSIGN_OR_RETURN(state->anchor_, FileAnchor::Open(AnchorPath(paths)));
  state->guarded_ = std::make_unique<GuardedOrderedStore>(
      *state->store_, state->store_space_, state->last_store_space_, state->ballast_);
  ASSIGN_OR_RETURN(state->catalog_, Catalog::Open(*state->guarded_, *state->anchor_));
  RETURN_IF_ERROR(CheckIdentity(paths, state->catalog_->node_id()));
  RETURN_IF_ERROR(CheckMode(paths, state->catalog_->mode(), mode));
  ASSIGN_OR_RETURN(state->content_,
                   FileContentStore::Open(paths.content_dir, state->content_space_));
  // Where there is no room for it now, there may be later; until then conditions tell.
  state->ReserveBallast().IgnoreError();
  return state;
}

StateDirectory::StateDirectory(const StatePaths& paths)
    : store_space_(paths.state_dir, paths.keep_free_bytes),
      last_store_space_(paths.state_dir, paths.keep_free_bytes / kKeptWithoutBallast),
      content_space_(paths.content_dir, paths.keep_free_bytes),
      ballast_(paths.state_dir + "/ballast", paths.ballast_bytes) {}

absl::Status StateDirectory::CheckSpace() const {
  const SpaceGuard& store = ballast_.released() ? last_store_space_ : store_space_;
  RETURN_IF_ERROR(store.Check(v1::REASON_STORE_NO_SPACE, 0));
  return content_space_.Check(v1::REASON_CONTENT_NO_SPACE, 0);
}

absl::Status StateDirectory::ReserveBallast() { return ballast_.Reserve(store_space_); }
absl::Status StateDirectory::ReleaseBallast() { return ballast_.Release(); }

absl::Status StateDirectory::Recover(const StatePaths& paths, Clock& clock) {
  if (absl::IsNotFound(ReadId(IdentityPath(paths)).status())) return NotInitialised(paths);
  ASSIGN_OR_RETURN(const File lock, Lock(paths));
  ASSIGN_OR_RETURN(const std::unique_ptr<RocksOrderedStore> store,
                   RocksOrderedStore::Open(StorePath(paths)));
  ASSIGN_OR_RETURN(const std::unique_ptr<FileAnchor> anchor, FileAnchor::Open(AnchorPath(paths)));
  return Catalog::BeginEpoch(*store, *anchor, clock);
}

absl::StatusOr<StoredBackup> StateDirectory::Restore(const StatePaths& paths,
                                                     const BackupDirectory& backups, uint32_t id,
                                                     v1::NodeMode mode, Clock& clock) {
  RETURN_IF_ERROR(MakeDirectories(paths.state_dir));
  ASSIGN_OR_RETURN(const File lock, Lock(paths));
  RETURN_IF_ERROR(CheckHoldsNoNode(paths));
  ASSIGN_OR_RETURN(StoredBackup backup, backups.Describe(id));
  ASSIGN_OR_RETURN(const Uuid node_id, Uuid::FromBytes(backup.note.node_id()));
  RETURN_IF_ERROR(Annotate(CheckMode(paths, backup.note.mode(), mode), "restoring"));
  RETURN_IF_ERROR(MakeDirectories(paths.content_dir));
  RETURN_IF_ERROR(CheckContentIsFree(paths, node_id));
  // Beside its place until it is whole; what a restore that was broken off has left is replaced.
  const std::string staged = paths.state_dir + "/db.restoring";
  RETURN_IF_ERROR(backups.Restore(backup.id, staged).status());
  // A witness of another history than the restored one.
  if (unlink(AnchorPath(paths).c_str()) != 0 && errno != ENOENT) {
    return FileError(errno, "removing", AnchorPath(paths));
  }
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<RocksOrderedStore> store,
                     RocksOrderedStore::Open(staged));
    ASSIGN_OR_RETURN(const std::unique_ptr<FileAnchor> anchor, FileAnchor::Open(AnchorPath(paths)));
    RETURN_IF_ERROR(Catalog::BeginEpoch(*store, *anchor, clock));
  }
  if (rename(staged.c_str(), StorePath(paths).c_str()) != 0) {
    return FileError(errno, "renaming", staged);
  }
  RETURN_IF_ERROR(SyncDirectory(paths.state_dir));
  RETURN_IF_ERROR(WriteIdentity(paths, node_id));
  return backup;
}

absl::StatusOr<Promotion> StateDirectory::Promote(const StatePaths& paths, Clock& clock) {
  bool was_root = false;
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<StateDirectory> state, Open(paths));
    was_root = state->catalog().mode() == v1::NODE_MODE_ROOT;
    if (was_root && !FollowsAnother(state->catalog().Read())) {
      return absl::FailedPreconditionError(
          absl::StrCat("the node in ", paths.state_dir, " is the root of a tree already"));
    }
    if (!was_root) {
      RETURN_IF_ERROR(
          Catalog::BeginEpoch(*state->store_, *state->anchor_, clock, v1::NODE_MODE_ROOT));
    }
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<StateDirectory> state, Open(paths));
  return TakeOver(state->catalog());
}

}  // namespace sluice
