// Run: `sluice` from its command line to its exit code.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/caller.h"
#include "cli/cli_target.h"
#include "common/clock.h"

namespace sluice {

// How long calls may take.
struct CallLimits {
  absl::Duration unary = absl::Seconds(60);
  absl::Duration stream = absl::InfiniteDuration();
};

// Where `sluice` runs; a test brings its own.
struct CliEnvironment {
  std::function<absl::StatusOr<std::unique_ptr<Caller>>(const CliTarget& target,
                                                        const CallLimits& limits)>
      connect;
  // Raw mode: gets the arguments after the program's name.
  std::function<int(const std::vector<std::string>& args)> run_raw;
  // A variable of the environment; empty when there is none.
  std::function<std::string(absl::string_view name)> variable;
  // Whether a Unix socket can be connected to by this user.
  std::function<bool(absl::string_view path)> may_connect;
  Clock& clock;
  absl::TimeZone zone;
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;
};

// Runs `args`, of which the first is the program's name, and returns the exit code.
int RunCli(const std::vector<std::string>& args, CliEnvironment& environment);

// Whether the arguments are meant for raw mode: the program is called grpcurl, a flag is none of
// ours, or what should be a verb is an address.
bool IsRawMode(const std::vector<std::string>& args);

}  // namespace sluice
