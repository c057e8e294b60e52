#include "storage/rocks_status.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace sluice {

absl::Status FromRocks(const rocksdb::Status& status, absl::string_view context) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  const std::string message = absl::StrCat(context, ": ", text);
  if (status.IsNotFound()) return absl::NotFoundError(message);
  if (status.IsNoSpace() || absl::StrContains(text, "No space left")) {
    return MakeError(v1::REASON_STORE_NO_SPACE, message);
  }
  if (status.IsCorruption()) return MakeError(v1::REASON_STORE_CORRUPT, message);
  if (status.IsInvalidArgument() && absl::StrContains(text, "does not exist")) {
    return absl::NotFoundError(message);
  }
  if (status.IsIOError() && absl::StrContains(text, "lock")) {
    return MakeError(v1::REASON_STORE_LOCKED, message);
  }
  if (status.IsBusy() || status.IsTryAgain() || status.IsTimedOut()) {
    return absl::UnavailableError(message);
  }
  return MakeError(v1::REASON_STORE_CORRUPT, message);
}

absl::Status FromBackup(const rocksdb::Status& status, absl::string_view context) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  const std::string message = absl::StrCat(context, ": ", text);
  if (status.IsNoSpace() || absl::StrContains(text, "No space left")) {
    return MakeError(v1::REASON_STORE_NO_SPACE, message);
  }
  if (absl::StrContains(text, "Permission denied")) return absl::PermissionDeniedError(message);
  return MakeError(v1::REASON_BACKUP_CORRUPT, message);
}

}  // namespace sluice
