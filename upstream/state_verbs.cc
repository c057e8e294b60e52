#include "upstream/state_verbs.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/status.h"
#include "common/tls/certificate_directory.h"
#include "upstream/audit.h"

namespace sluice {
namespace {

// An entry for what was done while no daemon ran. Who did it is not known here: whoever may write
// to the directory.
absl::Status WriteAudit(const config::v1::Node& config, absl::string_view action,
                        const std::string& detail) {
  SystemClock clock;
  ASSIGN_OR_RETURN(const std::unique_ptr<StateDirectory> state,
                   StateDirectory::Open(PathsOf(config)));
  const Audit audit(state->catalog(), clock);
  CallContext context;
  context.local_identity = "local:offline";
  context.roles = {Role::kAdministrator};
  CatalogChange change;
  audit.Add(context, action, config.state_dir(), detail, change);
  return state->catalog().Commit(change).status();
}

}  // namespace

StatePaths PathsOf(const config::v1::Node& config) {
  constexpr int64_t kMebibyte = int64_t{1} << 20;
  return {config.state_dir(), config.content_dir(), config.keep_free_mib() * kMebibyte,
          config.ballast_mib() * kMebibyte};
}

absl::StatusOr<std::string> InitState(const config::v1::Node& config, const NewNode& node) {
  SystemClock clock;
  ASSIGN_OR_RETURN(const Uuid node_id, StateDirectory::Init(PathsOf(config), clock, node));
  RETURN_IF_ERROR(CertificateDirectory::Make(config.certificates_dir()));
  return absl::StrCat("made node ", node_id.ToString(), " in ", config.state_dir());
}

absl::StatusOr<std::string> RecoverState(const config::v1::Node& config) {
  SystemClock clock;
  RETURN_IF_ERROR(StateDirectory::Recover(PathsOf(config), clock));
  RETURN_IF_ERROR(WriteAudit(config, "recover", ""));
  return absl::StrCat("began a new epoch in ", config.state_dir());
}

absl::StatusOr<std::string> RestoreState(const config::v1::Node& config, v1::NodeMode mode,
                                         const RestoreChoice& choice) {
  const std::string from = choice.from.empty() ? config.backup_dir() : choice.from;
  if (from.empty()) {
    return absl::InvalidArgumentError(
        "restore from where? Name the directory with --from, or set node.backup_dir");
  }
  SystemClock clock;
  ASSIGN_OR_RETURN(const StoredBackup backup,
                   StateDirectory::Restore(PathsOf(config), BackupDirectory(from), choice.backup_id,
                                           mode, clock));
  RETURN_IF_ERROR(CertificateDirectory::Make(config.certificates_dir()));
  const std::string which =
      absl::StrCat("backup ", backup.id, " of ",
                   absl::FormatTime(absl::RFC3339_sec, backup.made_at, absl::LocalTimeZone()));
  RETURN_IF_ERROR(WriteAudit(config, "restore", absl::StrCat(which, " in ", from)));
  ASSIGN_OR_RETURN(const Uuid node, Uuid::FromBytes(backup.note.node_id()));
  return absl::StrCat("restored node ", node.ToString(), " in ", config.state_dir(), " from ",
                      which, ", in a new epoch");
}

absl::StatusOr<std::string> PromoteState(const config::v1::Node& config) {
  SystemClock clock;
  ASSIGN_OR_RETURN(const Promotion promotion, StateDirectory::Promote(PathsOf(config), clock));
  RETURN_IF_ERROR(WriteAudit(config, "promote",
                             absl::StrCat(promotion.records, " kept records are its own now")));
  return absl::StrCat("the node in ", config.state_dir(),
                      " is the root of a tree now, in a new epoch; ", promotion.records,
                      " records that it had kept are its own");
}

}  // namespace sluice
