// Spilled rows: rows put into numbered heaps in whatever order, given back heap by heap, in bounded
// memory.
//
// What arrives sorted by one key and is to be written sorted by another is parted by the other key
// first. Each time memory is full, all heaps are appended to one scratch file; a heap is then read
// back from the places where its parts went.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/file_io.h"

namespace sluice {

class SpilledRows {
 public:
  // `directory`: where the scratch file goes, which has no name there; empty: all stays in memory.
  SpilledRows(std::string directory, int64_t memory_bytes_max);

  // Errors: those of the file system on the directory.
  absl::Status Add(size_t heap, absl::string_view row);

  // One more than the largest heap that was added to.
  size_t heaps() const { return heaps_.size(); }

  // All rows of a heap, joined, in the order in which they were added. Errors: as Add.
  absl::StatusOr<std::string> Take(size_t heap);

 private:
  struct Part {
    int64_t offset = 0;
    int64_t size_bytes = 0;
  };
  struct Heap {
    std::string rows;  // Still in memory.
    std::vector<Part> spilled;
  };

  absl::Status Spill();

  const std::string directory_;
  const int64_t memory_bytes_max_;
  std::vector<Heap> heaps_;
  int64_t memory_bytes_ = 0;
  File file_;
  int64_t file_bytes_ = 0;
};

}  // namespace sluice
