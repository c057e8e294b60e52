// Memory content store: content without a medium, for tests and the simulator.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "common/mutex.h"
#include "storage/content_store.h"

namespace sluice {

class MemoryContentStore : public ContentStore {
 public:
  absl::StatusOr<ContentInfo> Stat(const Digest& digest) override;
  absl::StatusOr<std::string> Read(const Digest& digest, int64_t offset,
                                   int64_t max_bytes) override;
  absl::StatusOr<std::unique_ptr<ContentWriter>> Write(const Digest& digest,
                                                       int64_t size_bytes) override;
  absl::Status Remove(const Digest& digest, Removal removal = Removal::kSetAside) override;
  absl::Status ForEach(absl::FunctionRef<bool(const ContentInfo&)> visit) override;
  absl::Status Verify(const Digest& digest) override;

  // Replaces stored bytes behind the store's back, as a bad disk would.
  void Damage(const Digest& digest, absl::string_view bytes);

 private:
  class Writer;

  Mutex mutex_;
  std::map<Digest, std::string> files_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, std::string> staged_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<Digest> writing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
