// Daemon flags: what stands on a daemon's command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/uuid.h"

namespace sluice {

enum class DaemonVerb {
  kServe,
  kCheckConfig,
  kDumpConfig,
  kInit,
  kRecover,
  kRestore,
  kPromote,
  kRelease,
  kHelp
};

// Which backup `restore` takes.
struct RestoreChoice {
  std::string from;        // The directory with the backups; empty: the configured one.
  uint32_t backup_id = 0;  // 0: the newest.
};

struct DaemonFlags {
  DaemonVerb verb = DaemonVerb::kServe;
  std::string config_file;
  // Of init.
  std::optional<Uuid> node_id;
  bool if_absent = false;
  RestoreChoice restore;
};

// `name` is the daemon's, from which the configuration's default path comes; `can_promote`: it has
// the verb promote.
//
// Errors: INVALID_ARGUMENT an unknown argument, a flag without its value or with another verb, two
// verbs.
absl::StatusOr<DaemonFlags> ParseDaemonFlags(int argc, const char* const* argv,
                                             absl::string_view name, bool can_promote);

// Verbs, flags and exit codes.
std::string DaemonHelp(absl::string_view name, bool can_promote);

}  // namespace sluice
