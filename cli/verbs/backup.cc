// `backup create`, `backup list`, `backup verify`, `backup delete`: copies of a node's store.
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/status.h"
#include "sluice/v1/maintenance_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kCreate = "sluice.v1.MaintenanceService/CreateBackup";
constexpr absl::string_view kList = "sluice.v1.MaintenanceService/ListBackups";
constexpr absl::string_view kVerify = "sluice.v1.MaintenanceService/VerifyBackup";
constexpr absl::string_view kDelete = "sluice.v1.MaintenanceService/DeleteBackup";

std::string BackupText(const v1::Backup& backup, absl::TimeZone zone) {
  return absl::StrCat("backup ", backup.backup_id(), " of ",
                      HumanTime(ToTime(backup.made_at()), zone), " (",
                      HumanBytes(backup.size_bytes()), ", up to seq ", backup.head_seq(), ")");
}

// The number of a backup, from what was typed.
absl::StatusOr<uint32_t> ParseNumber(const std::string& text) {
  uint32_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number == 0) {
    return UsageError(absl::StrCat("\"", text, "\" is no number of a backup; see backup list"));
  }
  return number;
}

// Follows a stream of progress to the backup that ends it, and prints that.
template <typename Request, typename Response>
absl::StatusOr<int> Follow(Invocation& invocation, absl::string_view method, const Request& request,
                           absl::string_view done) {
  Progress progress(invocation.draws_progress && !invocation.ForPrograms(), invocation.err);
  Response event;
  RETURN_IF_ERROR(
      invocation.caller.ServerStream(method, request, event, absl::InfiniteDuration(), [&] {
        if (event.has_progress()) {
          progress.Draw(absl::StrCat(HumanBytes(event.progress().copied_bytes()), " of at most ",
                                     HumanBytes(event.progress().total_bytes())));
        }
        return true;
      }));
  progress.Clear();
  if (!event.has_backup()) {
    invocation.err << "would copy at most " << HumanBytes(event.progress().total_bytes()) << "\n";
    return kExitOk;
  }
  invocation.Print(
      event.backup(),
      [&] { invocation.out << done << BackupText(event.backup(), invocation.zone) << "\n"; },
      [&] { invocation.out << event.backup().backup_id() << "\n"; });
  return kExitOk;
}

absl::StatusOr<int> RunCreate(Invocation& invocation) {
  v1::CreateBackupRequest request;
  request.set_validate_only(invocation.dry_run);
  int keep = 0;
  if (invocation.args.Has("--keep") &&
      (!absl::SimpleAtoi(invocation.args.Get("--keep"), &keep) || keep < 1)) {
    return UsageError("--keep needs a number from 1");
  }
  request.set_keep(keep);
  return Follow<v1::CreateBackupRequest, v1::CreateBackupResponse>(invocation, kCreate, request,
                                                                   "made ");
}

absl::StatusOr<int> RunVerify(Invocation& invocation) {
  v1::VerifyBackupRequest request;
  if (!invocation.args.positionals().empty()) {
    ASSIGN_OR_RETURN(const uint32_t number, ParseNumber(invocation.args.positionals()[0]));
    request.set_backup_id(number);
  }
  return Follow<v1::VerifyBackupRequest, v1::VerifyBackupResponse>(invocation, kVerify, request,
                                                                   "whole: ");
}

absl::StatusOr<int> RunList(Invocation& invocation) {
  ASSIGN_OR_RETURN(const auto response, ListPages<v1::ListBackupsResponse>(
                                            invocation.caller, kList, v1::ListBackupsRequest()));
  invocation.Print(
      response,
      [&] {
        Table table({">BACKUP", "MADE AT", ">SIZE", ">UP TO SEQ", "RELEASE"});
        for (const v1::Backup& backup : response.backups()) {
          table.AddRow({absl::StrCat(backup.backup_id()),
                        HumanTime(ToTime(backup.made_at()), invocation.zone),
                        HumanBytes(backup.size_bytes()), absl::StrCat(backup.head_seq()),
                        backup.release()});
        }
        if (table.empty()) {
          invocation.err << "no backups\n";
        } else {
          table.Print(invocation.out);
        }
      },
      [&] {
        for (const v1::Backup& backup : response.backups()) {
          invocation.out << backup.backup_id() << "\n";
        }
      });
  return kExitOk;
}

absl::StatusOr<int> RunDelete(Invocation& invocation) {
  v1::DeleteBackupRequest request;
  ASSIGN_OR_RETURN(const uint32_t number, ParseNumber(invocation.args.positionals()[0]));
  request.set_backup_id(number);
  request.set_validate_only(invocation.dry_run);
  v1::DeleteBackupResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kDelete, request, response));
  invocation.err << (invocation.dry_run ? "would delete" : "deleted") << " backup " << number
                 << "\n";
  return kExitOk;
}

}  // namespace

Verb BackupCreateVerb() {
  return {.name = "backup create",
          .positionals = "",
          .summary = "Copy the node's store to its backup_dir, while it goes on.",
          .method = kCreate,
          .flags = {{"--keep", "N", "then delete the oldest beyond N; default: delete none"}},
          .changes_state = true,
          .run = RunCreate};
}

Verb BackupListVerb() {
  return {.name = "backup list",
          .positionals = "",
          .summary = "List the node's backups, oldest first.",
          .method = kList,
          .flags = {},
          .run = RunList};
}

Verb BackupVerifyVerb() {
  return {.name = "backup verify",
          .positionals = "[N]",
          .summary = "Read every file of a backup and open it; the newest unless one is named.",
          .method = kVerify,
          .flags = {},
          .positionals_max = 1,
          .run = RunVerify};
}

Verb BackupDeleteVerb() {
  return {.name = "backup delete",
          .positionals = "N",
          .summary = "Delete a backup.",
          .method = kDelete,
          .flags = {},
          .positionals_min = 1,
          .positionals_max = 1,
          .changes_state = true,
          .run = RunDelete};
}

}  // namespace sluice
