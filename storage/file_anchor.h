// File anchor: the anchor in a file of two 4 KiB slots that are written in turn, each synced and
// with a check of its own.
//
// A write that is torn by a power cut damages the slot that was older anyhow; the other one still
// holds.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/anchor.h"

namespace sluice {

class FileAnchor : public Anchor {
 public:
  // Opens the file, or makes an empty one. Errors: PERMISSION_DENIED, INTERNAL the system's word on
  // `path`.
  static absl::StatusOr<std::unique_ptr<FileAnchor>> Open(absl::string_view path);
  ~FileAnchor() override;
  FileAnchor(const FileAnchor&) = delete;
  FileAnchor& operator=(const FileAnchor&) = delete;

  absl::StatusOr<std::optional<AnchorState>> Read() override;
  absl::Status Write(const AnchorState& state) override;

 private:
  FileAnchor(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  const std::string path_;
  const int descriptor_;
  int next_slot_ = 0;
};

}  // namespace sluice
