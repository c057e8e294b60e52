#include "storage/file_content_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/file_io.h"
#include "common/status.h"
#include "storage/content_errors.h"

namespace sluice {
namespace {

constexpr absl::string_view kStaging = "staging";
constexpr absl::string_view kQuarantine = "quarantine";
constexpr size_t kQuarantinedMax = 16;
constexpr int64_t kReadBytes = int64_t{1} << 20;
constexpr int kDirectoryMode = 0750;
constexpr size_t kFanOutDigits = 2;

// What a file that cannot be opened means for its digest.
absl::Status Misses(const absl::Status& status, const Digest& digest) {
  if (absl::IsNotFound(status)) return ContentMissing(digest);
  if (absl::IsDataLoss(status)) return ContentCorrupt(digest, status.message());
  return status;
}

// Hashes a file from its start. Leaves what it hashed in `hasher`.
absl::Status HashFile(const File& file, const std::string& path, Hasher& hasher) {
  for (int64_t offset = 0;;) {
    ASSIGN_OR_RETURN(const std::string data, ReadAt(file, offset, kReadBytes, path));
    if (data.empty()) return absl::OkStatus();
    hasher.Update(data);
    offset += static_cast<int64_t>(data.size());
  }
}

// Names in a directory, sorted; those that begin with a dot are left out.
absl::StatusOr<std::vector<std::string>> ListNames(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.front() != '.') names.push_back(std::move(name));
  }
  if (error) return FileError(error.value(), "listing", path);
  std::sort(names.begin(), names.end());
  return names;
}

// Lets only the newest files stay in quarantine; they are named by when they came.
absl::Status TrimQuarantine(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(path));
  for (size_t i = 0; i + kQuarantinedMax < names.size(); ++i) {
    unlink(absl::StrCat(path, "/", names[i]).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

// Stages bytes, hashes them on the way, and gives the file its name when they are right.
class FileContentStore::Writer : public ContentWriter {
 public:
  Writer(FileContentStore& store, const Digest& digest, int64_t size_bytes)
      : store_(store),
        digest_(digest),
        size_bytes_(size_bytes),
        path_(store.StagingPathOf(digest)) {}
  ~Writer() override {
    MutexLock lock(store_.mutex_);
    store_.writing_.erase(digest_);
  }

  // Opens the staged file and hashes what it holds from an earlier attempt.
  absl::Status Open() {
    file_ = File(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!file_.is_open()) return FileError(errno, "staging", path_);
    ASSIGN_OR_RETURN(staged_bytes_, FileSize(file_, path_));
    if (staged_bytes_ > size_bytes_) {
      if (ftruncate(file_.descriptor(), 0) != 0) return FileError(errno, "truncating", path_);
      staged_bytes_ = 0;
    }
    RETURN_IF_ERROR(HashFile(file_, path_, hasher_));
    if (lseek(file_.descriptor(), staged_bytes_, SEEK_SET) < 0) {
      return FileError(errno, "seeking in", path_);
    }
    return absl::OkStatus();
  }

  int64_t staged_bytes() const override { return staged_bytes_; }

  absl::Status Append(absl::string_view data) override {
    if (staged_bytes_ + static_cast<int64_t>(data.size()) > size_bytes_) {
      return ContentTooLong(digest_, size_bytes_);
    }
    RETURN_IF_ERROR(WriteAll(file_, data, path_));
    hasher_.Update(data);
    staged_bytes_ += static_cast<int64_t>(data.size());
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    if (staged_bytes_ != size_bytes_ || hasher_.Finish() != digest_) {
      unlink(path_.c_str());
      return ContentCorrupt(digest_, "came with other bytes");
    }
    RETURN_IF_ERROR(SyncFile(file_, path_));
    const std::string target = store_.PathOf(digest_);
    const std::string directory = target.substr(0, target.rfind('/'));
    RETURN_IF_ERROR(MakeDirectory(directory, kDirectoryMode));
    if (rename(path_.c_str(), target.c_str()) != 0) return FileError(errno, "renaming to", target);
    RETURN_IF_ERROR(SyncDirectory(directory));
    return SyncDirectory(store_.root_);
  }

 private:
  FileContentStore& store_;
  const Digest digest_;
  const int64_t size_bytes_;
  const std::string path_;
  File file_;
  Hasher hasher_;
  int64_t staged_bytes_ = 0;
};

absl::StatusOr<std::unique_ptr<FileContentStore>> FileContentStore::Open(
    absl::string_view root, std::optional<SpaceGuard> guard) {
  auto store =
      std::unique_ptr<FileContentStore>(new FileContentStore(std::string(root), std::move(guard)));
  for (const absl::string_view name : {kStaging, kQuarantine}) {
    RETURN_IF_ERROR(MakeDirectory(absl::StrCat(root, "/", name), kDirectoryMode));
  }
  const std::string staging = absl::StrCat(root, "/", kStaging);
  if (access(staging.c_str(), R_OK | W_OK | X_OK) != 0) {
    return FileError(errno, "using", staging);
  }
  return store;
}

std::string FileContentStore::PathOf(const Digest& digest) const {
  const std::string hex = digest.ToHex();
  return absl::StrCat(root_, "/", hex.substr(0, kFanOutDigits), "/", hex.substr(kFanOutDigits));
}

std::string FileContentStore::StagingPathOf(const Digest& digest) const {
  return absl::StrCat(root_, "/", kStaging, "/", digest.ToHex());
}

absl::StatusOr<ContentInfo> FileContentStore::Stat(const Digest& digest) {
  const std::string path = PathOf(digest);
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? ContentMissing(digest) : FileError(errno, "looking at", path);
  }
  if (!S_ISREG(info.st_mode)) return ContentCorrupt(digest, "is no regular file in the store");
  return ContentInfo{digest, info.st_size};
}

absl::StatusOr<std::string> FileContentStore::Read(const Digest& digest, int64_t offset,
                                                   int64_t max_bytes) {
  const std::string path = PathOf(digest);
  const absl::StatusOr<File> file = OpenRegularFile(path);
  if (!file.ok()) return Misses(file.status(), digest);
  ASSIGN_OR_RETURN(const int64_t size_bytes, FileSize(*file, path));
  if (offset < 0 || offset > size_bytes) return ContentPastEnd(digest, offset, size_bytes);
  return ReadAt(*file, offset, std::min(max_bytes, size_bytes - offset), path);
}

absl::StatusOr<std::unique_ptr<ContentWriter>> FileContentStore::Write(const Digest& digest,
                                                                       int64_t size_bytes) {
  if (guard_.has_value()) {
    RETURN_IF_ERROR(guard_->Check(v1::REASON_CONTENT_NO_SPACE, size_bytes));
  }
  {
    MutexLock lock(mutex_);
    if (!writing_.insert(digest).second) return ContentBeingWritten(digest);
  }
  auto writer = std::make_unique<Writer>(*this, digest, size_bytes);
  RETURN_IF_ERROR(writer->Open());
  return writer;
}

absl::Status FileContentStore::Remove(const Digest& digest, Removal removal) {
  const std::string path = PathOf(digest);
  if (removal == Removal::kForGood) {
    const bool gone = unlink(path.c_str()) == 0 || errno == ENOENT;
    return gone ? absl::OkStatus() : FileError(errno, "removing", path);
  }
  const std::string quarantine = absl::StrCat(root_, "/", kQuarantine);
  struct timespec now {};
  clock_gettime(CLOCK_REALTIME, &now);
  const std::string target =
      absl::StrCat(quarantine, "/", absl::Dec(now.tv_sec, absl::kZeroPad12), ".",
                   absl::Dec(now.tv_nsec, absl::kZeroPad9), ".", digest.ToHex());
  if (rename(path.c_str(), target.c_str()) != 0) {
    return errno == ENOENT ? absl::OkStatus() : FileError(errno, "setting aside", path);
  }
  return TrimQuarantine(quarantine);
}

absl::Status FileContentStore::ForEach(absl::FunctionRef<bool(const ContentInfo&)> visit) {
  ASSIGN_OR_RETURN(const std::vector<std::string> directories, ListNames(root_));
  for (const std::string& directory : directories) {
    if (directory.size() != kFanOutDigits) continue;
    ASSIGN_OR_RETURN(const std::vector<std::string> names,
                     ListNames(absl::StrCat(root_, "/", directory)));
    for (const std::string& name : names) {
      const absl::StatusOr<Digest> digest = Digest::Parse(absl::StrCat(directory, name));
      if (!digest.ok()) continue;
      struct stat info {};
      const bool regular = lstat(PathOf(*digest).c_str(), &info) == 0 && S_ISREG(info.st_mode);
      if (!visit({*digest, regular ? info.st_size : 0})) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status FileContentStore::Verify(const Digest& digest) {
  const std::string path = PathOf(digest);
  const absl::StatusOr<File> file = OpenRegularFile(path);
  if (!file.ok()) return Misses(file.status(), digest);
  Hasher hasher;
  RETURN_IF_ERROR(HashFile(*file, path, hasher));
  if (hasher.Finish() != digest) return ContentCorrupt(digest, "holds other bytes");
  return absl::OkStatus();
}

}  // namespace sluice
