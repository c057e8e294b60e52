// File input and output: descriptors that close themselves, whole reads and writes, and the
// system's errors as ours.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

// An open file.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File();
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept;

  int descriptor() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

// `errno_value` as a status about `path`: no space and missing permission get their content
// reasons, with user and mode.
absl::Status FileError(int errno_value, absl::string_view doing, const std::string& path);

// Opens a regular file for reading, never through a symbolic link.
//
// Errors:
//   NOT_FOUND            there is nothing.
//   DATA_LOSS            there is something, and it is no regular file.
absl::StatusOr<File> OpenRegularFile(const std::string& path);

absl::StatusOr<int64_t> FileSize(const File& file, const std::string& path);

// Reads up to `max_bytes` from `offset`; fewer only at the end.
absl::StatusOr<std::string> ReadAt(const File& file, int64_t offset, int64_t max_bytes,
                                   const std::string& path);

// Appends all of `data`.
absl::Status WriteAll(const File& file, absl::string_view data, const std::string& path);

absl::Status SyncFile(const File& file, const std::string& path);
// Makes the names in a directory durable.
absl::Status SyncDirectory(const std::string& path);
// Makes one directory; it may exist.
absl::Status MakeDirectory(const std::string& path, int mode);

// Reads a file of at most 1 MiB whole. Errors: as OpenRegularFile; DATA_LOSS it is larger.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);

// Writes a file durably: staged beside it, synced, renamed.
absl::Status WriteSmallFile(const std::string& path, absl::string_view data, int mode = 0640);

}  // namespace sluice
