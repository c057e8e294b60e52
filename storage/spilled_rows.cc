#include "storage/spilled_rows.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/status.h"

namespace sluice {
namespace {

constexpr int kScratchMode = 0600;

absl::Status ReadAt(const File& file, int64_t offset, char* data, size_t size,
                    const std::string& path) {
  while (size > 0) {
    const ssize_t got = pread(file.descriptor(), data, size, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return FileError(got < 0 ? errno : EIO, "reading back from", path);
    data += got;
    offset += got;
    size -= static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace

SpilledRows::SpilledRows(std::string directory, int64_t memory_bytes_max)
    : directory_(std::move(directory)), memory_bytes_max_(memory_bytes_max) {}

absl::Status SpilledRows::Add(size_t heap, absl::string_view row) {
  if (heap >= heaps_.size()) heaps_.resize(heap + 1);
  heaps_[heap].rows.append(row.data(), row.size());
  memory_bytes_ += static_cast<int64_t>(row.size());
  const bool full = !directory_.empty() && memory_bytes_ > memory_bytes_max_;
  return full ? Spill() : absl::OkStatus();
}

absl::Status SpilledRows::Spill() {
  if (!file_.is_open()) {
    file_ = File(open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kScratchMode));
    if (!file_.is_open()) return FileError(errno, "making a scratch file in", directory_);
  }
  std::string joined;
  joined.reserve(static_cast<size_t>(memory_bytes_));
  for (Heap& heap : heaps_) {
    if (heap.rows.empty()) continue;
    const auto size = static_cast<int64_t>(heap.rows.size());
    heap.spilled.push_back({file_bytes_ + static_cast<int64_t>(joined.size()), size});
    joined.append(heap.rows);
    std::string().swap(heap.rows);
  }
  RETURN_IF_ERROR(WriteAll(file_, joined, directory_));
  file_bytes_ += static_cast<int64_t>(joined.size());
  memory_bytes_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<std::string> SpilledRows::Take(size_t heap) {
  if (heap >= heaps_.size()) return std::string();
  Heap taken = std::exchange(heaps_[heap], Heap());
  if (taken.spilled.empty()) return std::move(taken.rows);
  int64_t spilled_bytes = 0;
  for (const Part& part : taken.spilled) spilled_bytes += part.size_bytes;
  std::string rows(static_cast<size_t>(spilled_bytes), '\0');
  size_t at = 0;
  for (const Part& part : taken.spilled) {
    const auto size = static_cast<size_t>(part.size_bytes);
    RETURN_IF_ERROR(ReadAt(file_, part.offset, rows.data() + at, size, directory_));
    at += size;
  }
  return rows.append(taken.rows);
}

}  // namespace sluice
