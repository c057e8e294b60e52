// File content store: content as files of one directory.
//
//   <root>/ab/cd...          a verified file, by its digest in hexadecimal
//   <root>/staging/abcd...   bytes on their way in
//   <root>/quarantine/...    what was removed because it was wrong; the newest 16
//
// Nothing from a peer ever becomes part of a path but a digest. Presence is what the directory
// holds.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "storage/content_store.h"
#include "storage/space_guard.h"

namespace sluice {

class FileContentStore : public ContentStore {
 public:
  // Makes the directories that are missing in `root`, which must exist.
  //
  // Errors:
  //   PERMISSION_DENIED CONTENT_DIR_PERMISSION  names path, user and mode.
  //   NOT_FOUND                                 `root` does not exist.
  // Without a guard it writes until the volume is full.
  static absl::StatusOr<std::unique_ptr<FileContentStore>> Open(
      absl::string_view root, std::optional<SpaceGuard> guard = std::nullopt);

  absl::StatusOr<ContentInfo> Stat(const Digest& digest) override;
  absl::StatusOr<std::string> Read(const Digest& digest, int64_t offset,
                                   int64_t max_bytes) override;
  absl::StatusOr<std::unique_ptr<ContentWriter>> Write(const Digest& digest,
                                                       int64_t size_bytes) override;
  absl::Status Remove(const Digest& digest, Removal removal = Removal::kSetAside) override;
  absl::Status ForEach(absl::FunctionRef<bool(const ContentInfo&)> visit) override;
  absl::Status Verify(const Digest& digest) override;

  std::string PathOf(const Digest& digest) const;

 private:
  class Writer;

  FileContentStore(std::string root, std::optional<SpaceGuard> guard)
      : root_(std::move(root)), guard_(std::move(guard)) {}
  std::string StagingPathOf(const Digest& digest) const;

  const std::string root_;
  const std::optional<SpaceGuard> guard_;
  Mutex mutex_;
  absl::flat_hash_set<Digest> writing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
