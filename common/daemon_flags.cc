#include "common/daemon_flags.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr absl::string_view kUsage = R"(
Usage:
  $0 [--config FILE]
                               serve until SIGTERM or SIGINT; SIGHUP reads the configuration again
  $0 --check-config [--config FILE]
                               check the configuration and exit
  $0 --dump-config [--config FILE]
                               print the configuration with its defaults and exit
  $0 init [--config FILE] [--node-id ID] [--if-absent]
                               make the state directory of a new node
  $0 restore [--config FILE] [--from FOLDER] [--backup N]
                               make the node of a backup anew, in a state directory that holds
                               none; it begins a new epoch
  $0 recover [--config FILE]
                               accept a store that lost acknowledged writes (exit code 5):
                               draw a new epoch, so that nodes below compare with it)";

constexpr absl::string_view kPromote = R"(
  $0 promote [--config FILE]
                               make the root of a tree of a node that followed another, as when
                               its upstream is lost for good)";

constexpr absl::string_view kRest = R"(
  $0 --version
  $0 --help

  --config FILE   default: /etc/sluice/$0.yaml
  --node-id ID    of the new node, a UUID that no other node has; default: a random one
  --if-absent     succeed, and change nothing, where the node is there already
  --from FOLDER   with the backups; default: node.backup_dir of the configuration
  --backup N      its number; default: the newest

Exit codes:
  0  stopped in order, or done
  1  failure
  2  wrong usage
  3  wrong configuration
  4  state directory: not initialised, in use by another process, or another node's;
     for init and restore: exists already
  5  data loss: the store is damaged or behind its anchor
  6  an address is taken
)";

// Takes the argument at `i` when it is a flag with a value, "--name VALUE" or "--name=VALUE", and
// moves `i` to the last word of it; nothing when it is something else.
//
// Errors: INVALID_ARGUMENT it has no value.
absl::StatusOr<std::optional<std::string>> TakeValue(absl::string_view name, int argc,
                                                     const char* const* argv, int& i) {
  absl::string_view arg = argv[i];
  if (!absl::ConsumePrefix(&arg, name)) return std::optional<std::string>();
  std::string value;
  if (absl::ConsumePrefix(&arg, "=")) {
    value = std::string(arg);
  } else if (!arg.empty()) {
    return std::optional<std::string>();
  } else if (++i < argc) {
    value = argv[i];
  }
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
  return value;
}

absl::StatusOr<Uuid> ParseNodeId(const std::string& text) {
  const absl::StatusOr<Uuid> parsed = Uuid::Parse(text);
  if (!parsed.ok()) return Annotate(parsed.status(), "--node-id");
  if (parsed->is_nil()) return absl::InvalidArgumentError("--node-id: this one names nothing");
  return parsed;
}

absl::StatusOr<uint32_t> ParseBackupNumber(const std::string& text) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number > 0) return number;
  return absl::InvalidArgumentError(
      absl::StrCat("--backup needs a number from 1, not \"", text, "\""));
}

// Takes a flag that has a value. False when the argument at `i` is none.
absl::StatusOr<bool> TakeValueFlag(int argc, const char* const* argv, int& i, DaemonFlags& flags) {
  ASSIGN_OR_RETURN(const auto config_file, TakeValue("--config", argc, argv, i));
  if (config_file.has_value()) {
    flags.config_file = *config_file;
    return true;
  }
  ASSIGN_OR_RETURN(const auto node_id, TakeValue("--node-id", argc, argv, i));
  if (node_id.has_value()) {
    ASSIGN_OR_RETURN(flags.node_id, ParseNodeId(*node_id));
    return true;
  }
  ASSIGN_OR_RETURN(const auto from, TakeValue("--from", argc, argv, i));
  if (from.has_value()) {
    flags.restore.from = *from;
    return true;
  }
  ASSIGN_OR_RETURN(const auto backup, TakeValue("--backup", argc, argv, i));
  if (!backup.has_value()) return false;
  ASSIGN_OR_RETURN(flags.restore.backup_id, ParseBackupNumber(*backup));
  return true;
}

DaemonVerb VerbOf(absl::string_view arg, bool can_promote) {
  if (arg == "init") return DaemonVerb::kInit;
  if (arg == "recover") return DaemonVerb::kRecover;
  if (arg == "restore") return DaemonVerb::kRestore;
  if (arg == "promote" && can_promote) return DaemonVerb::kPromote;
  if (arg == "--check-config") return DaemonVerb::kCheckConfig;
  if (arg == "--dump-config") return DaemonVerb::kDumpConfig;
  if (arg == "--version") return DaemonVerb::kRelease;
  if (arg == "--help" || arg == "-h") return DaemonVerb::kHelp;
  return DaemonVerb::kServe;
}

}  // namespace

absl::StatusOr<DaemonFlags> ParseDaemonFlags(int argc, const char* const* argv,
                                             absl::string_view name, bool can_promote) {
  DaemonFlags flags;
  flags.config_file = absl::StrCat("/etc/sluice/", name, ".yaml");
  bool has_verb = false;
  for (int i = 1; i < argc; ++i) {
    ASSIGN_OR_RETURN(const bool taken, TakeValueFlag(argc, argv, i, flags));
    if (taken) continue;
    const absl::string_view arg = argv[i];
    if (arg == "--if-absent") {
      flags.if_absent = true;
      continue;
    }
    const DaemonVerb verb = VerbOf(arg, can_promote);
    if (verb == DaemonVerb::kServe) {
      return absl::InvalidArgumentError(absl::StrCat("unknown argument \"", arg, "\""));
    }
    if (has_verb) {
      return absl::InvalidArgumentError(absl::StrCat("\"", arg, "\" is one verb too many"));
    }
    has_verb = true;
    flags.verb = verb;
  }
  if (flags.verb != DaemonVerb::kInit && (flags.if_absent || flags.node_id.has_value())) {
    return absl::InvalidArgumentError("--if-absent and --node-id belong to init");
  }
  const bool has_choice = !flags.restore.from.empty() || flags.restore.backup_id != 0;
  if (flags.verb != DaemonVerb::kRestore && has_choice) {
    return absl::InvalidArgumentError("--from and --backup belong to restore");
  }
  return flags;
}

std::string DaemonHelp(absl::string_view name, bool can_promote) {
  return absl::StrReplaceAll(
      absl::StrCat(kUsage, can_promote ? kPromote : absl::string_view(), kRest), {{"$0", name}});
}

}  // namespace sluice
