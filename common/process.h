// Process: what both daemons share of a process's life, from the command line to the drain.
//
// A daemon's `main` calls `PrepareProcess()` and then `RunDaemon` with the few things in which
// daemons differ. The life itself: command line, configuration, signals blocked before any thread
// exists, start, addresses file, wait for SIGTERM or SIGINT, drain within the configured time, exit
// code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/config_check.h"
#include "common/config_reload.h"
#include "common/daemon_flags.h"
#include "common/log.h"
#include "common/status.h"
#include "common/uuid.h"
#include "common/yaml.h"
#include "sluice/config/v1/daemon.pb.h"

namespace sluice {

// Exit codes of the daemons; `--help` prints them.
enum class ExitCode {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kConfiguration = 3,
  kStateDirectory = 4,  // Not initialised, used by another process, or another node's.
  kDataLoss = 5,        // The store is damaged or behind its anchor.
  kAddressTaken = 6,
};

// One listener as it really is.
struct ListeningAddress {
  std::vector<std::string> roles;
  std::string address;  // "127.0.0.1:43121" or "unix:/path".
};

// A daemon that serves. Destroying it ends it.
class RunningDaemon {
 public:
  virtual ~RunningDaemon() = default;

  virtual std::vector<ListeningAddress> Addresses() const = 0;

  // Whether it still works: it answers a call, and its store takes commits. May block for a few
  // seconds.
  virtual absl::Status Probe() = 0;

  // Takes over what can change while it runs: log level aside, that is the users. `changed` names
  // it, for the audit; nothing has to be done for what is not named.
  virtual absl::Status Reload(const config::v1::Node& node,
                              const std::vector<std::string>& changed) = 0;

  // A changed configuration was refused, or one is in force again (OK).
  virtual void SetConfigProblem(const absl::Status& problem) = 0;

  // Takes no more calls and returns when those in flight have ended, or were broken off at
  // `deadline`.
  virtual void Drain(absl::Time deadline) = 0;
};

// In what a daemon is itself.
template <typename Config>
struct DaemonSpec {
  absl::string_view name;     // Of the program.
  absl::string_view summary;  // A sentence for --help.

  // Makes the state directory; it does not exist yet or is empty. `node_id` is the new node's, or
  // else a random one. Returns what was made, in words.
  std::function<absl::StatusOr<std::string>(const Config&, const std::optional<Uuid>& node_id,
                                            Log&)>
      init;

  // The node that the state directory holds. NOT_FOUND: none that `init` has finished.
  std::function<absl::StatusOr<Uuid>(const Config&)> node_in;

  // Draws a new epoch for a store that is behind its anchor. Returns what was done, in words.
  std::function<absl::StatusOr<std::string>(const Config&, Log&)> recover;

  // Makes the state directory from a backup. Returns what was done, in words.
  std::function<absl::StatusOr<std::string>(const Config&, const RestoreChoice&)> restore;

  // Makes a root of a node that followed another. Returns what was done, in words. Empty: this
  // daemon is none that a node is promoted to.
  std::function<absl::StatusOr<std::string>(const Config&)> promote;

  // Opens, listens and serves.
  //
  // Errors, which become exit codes by `ExitCodeOf`:
  //   NOT_FOUND           the state directory is not initialised.
  //   FAILED_PRECONDITION STORE_LOCKED, STORE_IDENTITY, STORE_TOO_NEW
  //   DATA_LOSS           STORE_BEHIND_ANCHOR, STORE_CORRUPT
  //   ALREADY_EXISTS      an address is taken.
  std::function<absl::StatusOr<std::unique_ptr<RunningDaemon>>(const Config&, Log&)> start;
};

// The exit code for a failure to start, to init or to recover.
ExitCode ExitCodeOf(const absl::Status& status);

// What `RunDaemon` needs, without the configuration's type.
struct DaemonLife {
  absl::string_view name;
  absl::string_view summary;
  std::function<absl::Status(absl::string_view text, absl::string_view file_name)> read_config;
  std::function<const config::v1::Node&()> node;  // After `read_config`.
  std::function<absl::StatusOr<std::string>(const std::optional<Uuid>& node_id, Log&)> init;
  std::function<absl::StatusOr<Uuid>()> node_in;
  std::function<absl::StatusOr<std::string>(Log&)> recover;
  std::function<absl::StatusOr<std::string>(const RestoreChoice&)> restore;
  std::function<absl::StatusOr<std::string>()> promote;
  std::function<absl::StatusOr<std::unique_ptr<RunningDaemon>>(Log&)> start;
  // Reads a changed configuration; the one in force stays what it is on failure, and in everything
  // that only a restart takes over.
  std::function<absl::StatusOr<ConfigDifference>(absl::string_view text,
                                                 absl::string_view file_name)>
      reload_config;
  std::function<std::string()> dump_config;
};
int RunDaemonLife(int argc, const char* const* argv, const DaemonLife& life);

// Lives the life of a daemon and returns the process's exit code.
template <typename Config>
int RunDaemon(int argc, const char* const* argv, const DaemonSpec<Config>& spec) {
  Config config;
  const DaemonLife life = {
      spec.name,
      spec.summary,
      [&](absl::string_view text, absl::string_view file_name) -> absl::Status {
        RETURN_IF_ERROR(ParseYaml(text, file_name, config));
        return Annotate(CompleteConfig(config), file_name);
      },
      [&]() -> const config::v1::Node& { return config.node(); },
      [&](const std::optional<Uuid>& node_id, Log& log) { return spec.init(config, node_id, log); },
      [&] { return spec.node_in(config); },
      [&](Log& log) { return spec.recover(config, log); },
      [&](const RestoreChoice& choice) { return spec.restore(config, choice); },
      spec.promote ? std::function([&] { return spec.promote(config); })
                   : std::function<absl::StatusOr<std::string>()>(),
      [&](Log& log) { return spec.start(config, log); },
      [&](absl::string_view text, absl::string_view file_name) -> absl::StatusOr<ConfigDifference> {
        Config changed;
        RETURN_IF_ERROR(ParseYaml(text, file_name, changed));
        RETURN_IF_ERROR(Annotate(CompleteConfig(changed), file_name));
        const ConfigDifference difference = CompareConfigs(config, changed);
        TakeReloadable(changed.node(), *config.mutable_node());
        return difference;
      },
      [&] { return DumpConfig(config); },
  };
  return RunDaemonLife(argc, argv, life);
}

}  // namespace sluice
