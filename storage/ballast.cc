#include "storage/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/file_io.h"
#include "common/status.h"

namespace sluice {
namespace {

absl::StatusOr<File> OpenBallast(const std::string& path) {
  File file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return FileError(errno, "opening", path);
  return file;
}

// Makes a file at `path` that takes `size_bytes` of the disk.
absl::Status Take(const std::string& path, int64_t size_bytes) {
  ASSIGN_OR_RETURN(const File file, OpenBallast(path));
  const int error = posix_fallocate(file.descriptor(), 0, size_bytes);
  if (error == ENOSPC) {
    return MakeError(v1::REASON_STORE_NO_SPACE,
                     absl::StrCat("ballast: no room for ", size_bytes, " bytes at ", path));
  }
  if (error != 0) return FileError(error, "reserving", path);
  return SyncFile(file, path);
}

}  // namespace

// An empty file says that the ballast was released.
Ballast::Ballast(std::string path, int64_t size_bytes)
    : path_(std::move(path)), size_bytes_(size_bytes) {
  struct stat file {};
  if (size_bytes_ == 0) {
    unlink(path_.c_str());
  } else if (lstat(path_.c_str(), &file) == 0 && S_ISREG(file.st_mode)) {
    // One of another size is made anew.
    if (file.st_size == 0) state_ = State::kReleased;
    if (file.st_size == size_bytes_) state_ = State::kReserved;
  }
}

absl::Status Ballast::Reserve(const SpaceGuard& guard) {
  if (reserved() || size_bytes_ == 0) return absl::OkStatus();
  RETURN_IF_ERROR(Annotate(guard.Check(v1::REASON_STORE_NO_SPACE, size_bytes_), "ballast"));
  // Under another name until it is whole: a kill in between leaves what was there before.
  const std::string staged = path_ + ".new";
  const absl::Status taken = Take(staged, size_bytes_);
  if (!taken.ok()) {
    unlink(staged.c_str());
    return taken;
  }
  if (rename(staged.c_str(), path_.c_str()) != 0) return FileError(errno, "renaming", staged);
  state_ = State::kReserved;
  return absl::OkStatus();
}

absl::Status Ballast::Release() {
  if (released() || size_bytes_ == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const File file, OpenBallast(path_));
  if (ftruncate(file.descriptor(), 0) != 0) return FileError(errno, "emptying", path_);
  RETURN_IF_ERROR(SyncFile(file, path_));
  state_ = State::kReleased;
  return absl::OkStatus();
}

}  // namespace sluice
