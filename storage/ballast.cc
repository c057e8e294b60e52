#include "storage/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

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
  ASSIGN_OR_RETURN(const File file, OpenBallast(path_));
  if (ftruncate(file.descriptor(), size_bytes_) != 0) {
    return FileError(errno, "resizing", path_);
  }
  const int error = posix_fallocate(file.descriptor(), 0, size_bytes_);
  if (error != 0) {
    // What it was before, so that nobody takes a part for the whole.
    if (released() ? ftruncate(file.descriptor(), 0) != 0 : unlink(path_.c_str()) != 0) {
      return FileError(errno, "taking back", path_);
    }
    if (error == ENOSPC) {
      return MakeError(v1::REASON_STORE_NO_SPACE,
                       absl::StrCat("ballast: no room for ", size_bytes_, " bytes in ", path_));
    }
    return FileError(error, "reserving", path_);
  }
  RETURN_IF_ERROR(SyncFile(file, path_));
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
