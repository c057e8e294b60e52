#include "storage/space_guard.h"

#include <sys/statvfs.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

int64_t AskSystem(const std::string& path) {
  struct statvfs volume {};
  if (statvfs(path.c_str(), &volume) != 0) return -1;
  return static_cast<int64_t>(volume.f_bavail) * static_cast<int64_t>(volume.f_frsize);
}

}  // namespace

SpaceGuard::SpaceGuard(std::string path, int64_t keep_free_bytes, Ask ask)
    : path_(std::move(path)),
      keep_free_bytes_(keep_free_bytes),
      ask_(ask ? std::move(ask) : AskSystem) {}

absl::Status SpaceGuard::Check(v1::Reason reason, int64_t bytes) const {
  if (keep_free_bytes_ == 0) return absl::OkStatus();
  const int64_t free_bytes = ask_(path_);
  // What cannot be asked is found out by writing.
  if (free_bytes < 0 || free_bytes - bytes >= keep_free_bytes_) return absl::OkStatus();
  return MakeError(
      reason, absl::StrCat("only ", free_bytes / kMebibyte, " MiB are free on the volume of ",
                           path_, ", of which ", keep_free_bytes_ / kMebibyte, " MiB are kept free",
                           bytes < kMebibyte
                               ? ""
                               : absl::StrCat("; ", bytes / kMebibyte, " MiB are to be written")));
}

}  // namespace sluice
