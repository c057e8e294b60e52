#include "storage/memory_content_store.h"

#include <utility>
#include <vector>

#include "storage/content_errors.h"

namespace sluice {

class MemoryContentStore::Writer : public ContentWriter {
 public:
  Writer(MemoryContentStore& store, const Digest& digest, int64_t size_bytes, std::string staged)
      : store_(store), digest_(digest), size_bytes_(size_bytes), bytes_(std::move(staged)) {}
  ~Writer() override {
    MutexLock lock(store_.mutex_);
    store_.writing_.erase(digest_);
    if (!bytes_.empty()) store_.staged_[digest_] = std::move(bytes_);
  }

  int64_t staged_bytes() const override { return static_cast<int64_t>(bytes_.size()); }

  absl::Status Append(absl::string_view data) override {
    if (staged_bytes() + static_cast<int64_t>(data.size()) > size_bytes_) {
      return ContentTooLong(digest_, size_bytes_);
    }
    bytes_.append(data.data(), data.size());
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    const std::string bytes = std::exchange(bytes_, std::string());
    if (static_cast<int64_t>(bytes.size()) != size_bytes_ || Digest::Of(bytes) != digest_) {
      return ContentCorrupt(digest_, "came with other bytes");
    }
    MutexLock lock(store_.mutex_);
    store_.files_[digest_] = bytes;
    return absl::OkStatus();
  }

 private:
  MemoryContentStore& store_;
  const Digest digest_;
  const int64_t size_bytes_;
  std::string bytes_;
};

absl::StatusOr<ContentInfo> MemoryContentStore::Stat(const Digest& digest) {
  MutexLock lock(mutex_);
  const auto found = files_.find(digest);
  if (found == files_.end()) return ContentMissing(digest);
  return ContentInfo{digest, static_cast<int64_t>(found->second.size())};
}

absl::StatusOr<std::string> MemoryContentStore::Read(const Digest& digest, int64_t offset,
                                                     int64_t max_bytes) {
  MutexLock lock(mutex_);
  const auto found = files_.find(digest);
  if (found == files_.end()) return ContentMissing(digest);
  const auto size_bytes = static_cast<int64_t>(found->second.size());
  if (offset < 0 || offset > size_bytes) return ContentPastEnd(digest, offset, size_bytes);
  return found->second.substr(static_cast<size_t>(offset), static_cast<size_t>(max_bytes));
}

absl::StatusOr<std::unique_ptr<ContentWriter>> MemoryContentStore::Write(const Digest& digest,
                                                                         int64_t size_bytes) {
  MutexLock lock(mutex_);
  if (!writing_.insert(digest).second) return ContentBeingWritten(digest);
  std::string staged;
  if (auto node = staged_.extract(digest); !node.empty()) staged = std::move(node.mapped());
  if (static_cast<int64_t>(staged.size()) > size_bytes) staged.clear();
  return std::make_unique<Writer>(*this, digest, size_bytes, std::move(staged));
}

absl::Status MemoryContentStore::Remove(const Digest& digest, Removal /*removal*/) {
  MutexLock lock(mutex_);
  files_.erase(digest);
  return absl::OkStatus();
}

absl::Status MemoryContentStore::ForEach(absl::FunctionRef<bool(const ContentInfo&)> visit) {
  std::vector<ContentInfo> files;
  {
    MutexLock lock(mutex_);
    for (const auto& [digest, bytes] : files_) {
      files.push_back({digest, static_cast<int64_t>(bytes.size())});
    }
  }
  for (const ContentInfo& info : files) {
    if (!visit(info)) break;
  }
  return absl::OkStatus();
}

absl::Status MemoryContentStore::Verify(const Digest& digest) {
  MutexLock lock(mutex_);
  const auto found = files_.find(digest);
  if (found == files_.end()) return ContentMissing(digest);
  if (Digest::Of(found->second) != digest) return ContentCorrupt(digest, "holds other bytes");
  return absl::OkStatus();
}

void MemoryContentStore::Damage(const Digest& digest, absl::string_view bytes) {
  MutexLock lock(mutex_);
  files_[digest] = std::string(bytes);
}

}  // namespace sluice
