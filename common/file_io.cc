#include "common/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/errors.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr int64_t kSmallFileBytesMax = int64_t{1} << 20;

// The nearest existing place on the way to `path`, with its owner and mode.
std::string PermissionsNear(std::string path) {
  struct stat info {};
  while (stat(path.c_str(), &info) != 0) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos || slash == 0) return "";
    path.resize(slash);
  }
  return absl::StrFormat("%s belongs to user %d and has mode %04o; the service runs as user %d",
                         path, info.st_uid, info.st_mode & 07777, geteuid());
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

File::~File() {
  if (is_open()) close(descriptor_);
}

File& File::operator=(File&& other) noexcept {
  if (this == &other) return *this;
  if (is_open()) close(descriptor_);
  descriptor_ = std::exchange(other.descriptor_, -1);
  return *this;
}

absl::Status FileError(int errno_value, absl::string_view doing, const std::string& path) {
  const std::string message = absl::StrCat(doing, " ", path);
  if (errno_value == ENOSPC || errno_value == EDQUOT) {
    return MakeError(v1::REASON_CONTENT_NO_SPACE, absl::StrCat(message, ": no space left"));
  }
  if (errno_value == EACCES || errno_value == EPERM || errno_value == EROFS) {
    return MakeError(v1::REASON_CONTENT_DIR_PERMISSION,
                     absl::StrCat(message, ": ", PermissionsNear(path)));
  }
  return absl::ErrnoToStatus(errno_value, message);
}

absl::StatusOr<File> OpenRegularFile(const std::string& path) {
  // Without O_NONBLOCK a FIFO in the file's place would hold us up for ever.
  File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.is_open()) {
    if (errno == ELOOP) return absl::DataLossError(absl::StrCat(path, " is a symbolic link"));
    return FileError(errno, "opening", path);
  }
  struct stat info {};
  if (fstat(file.descriptor(), &info) != 0) return FileError(errno, "looking at", path);
  if (!S_ISREG(info.st_mode)) return absl::DataLossError(absl::StrCat(path, " is no regular file"));
  return file;
}

absl::StatusOr<int64_t> FileSize(const File& file, const std::string& path) {
  struct stat info {};
  if (fstat(file.descriptor(), &info) != 0) return FileError(errno, "looking at", path);
  return info.st_size;
}

absl::StatusOr<std::string> ReadAt(const File& file, int64_t offset, int64_t max_bytes,
                                   const std::string& path) {
  std::string data(static_cast<size_t>(max_bytes), '\0');
  size_t filled = 0;
  while (filled < data.size()) {
    const ssize_t size = pread(file.descriptor(), data.data() + filled, data.size() - filled,
                               offset + static_cast<int64_t>(filled));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return FileError(errno, "reading", path);
    if (size == 0) break;
    filled += static_cast<size_t>(size);
  }
  data.resize(filled);
  return data;
}

absl::Status WriteAll(const File& file, absl::string_view data, const std::string& path) {
  while (!data.empty()) {
    const ssize_t size = write(file.descriptor(), data.data(), data.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return FileError(errno, "writing", path);
    data.remove_prefix(static_cast<size_t>(size));
  }
  return absl::OkStatus();
}

absl::Status SyncFile(const File& file, const std::string& path) {
  return fdatasync(file.descriptor()) == 0 ? absl::OkStatus() : FileError(errno, "syncing", path);
}

absl::Status SyncDirectory(const std::string& path) {
  const File directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) return FileError(errno, "opening", path);
  return fsync(directory.descriptor()) == 0 ? absl::OkStatus() : FileError(errno, "syncing", path);
}

absl::Status MakeDirectory(const std::string& path, int mode) {
  if (mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0 || errno == EEXIST) {
    return absl::OkStatus();
  }
  return FileError(errno, "making", path);
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  ASSIGN_OR_RETURN(const File file, OpenRegularFile(path));
  ASSIGN_OR_RETURN(std::string data, ReadAt(file, 0, kSmallFileBytesMax + 1, path));
  if (static_cast<int64_t>(data.size()) > kSmallFileBytesMax) {
    return absl::DataLossError(absl::StrCat(path, " is larger than 1 MiB"));
  }
  return data;
}

absl::Status WriteSmallFile(const std::string& path, absl::string_view data, int mode) {
  const std::string staged = path + ".new";
  {
    const File file(
        open(staged.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file.is_open()) return FileError(errno, "making", staged);
    // One that an earlier attempt left may have another mode.
    if (fchmod(file.descriptor(), static_cast<mode_t>(mode)) != 0) {
      return FileError(errno, "setting the mode of", staged);
    }
    RETURN_IF_ERROR(WriteAll(file, data, staged));
    RETURN_IF_ERROR(SyncFile(file, staged));
  }
  if (rename(staged.c_str(), path.c_str()) != 0) return FileError(errno, "renaming to", path);
  return SyncDirectory(ParentOf(path));
}

}  // namespace sluice
