// sluice: the operator's tool. It talks to nodes over their RPCs and never opens a store.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "cli/channel_caller.h"
#include "cli/raw/raw.h"
#include "cli/run.h"
#include "common/clock.h"
#include "common/rpc/server.h"

int main(int argc, char** argv) {
  sluice::PrepareProcess();
  sluice::SystemClock clock;
  sluice::CliEnvironment environment = {
      .connect = sluice::ChannelCaller::Create,
      .run_raw =
          [](const std::vector<std::string>& args) {
            return sluice::RunRaw(args, std::cin, std::cout, std::cerr);
          },
      .variable =
          [](absl::string_view name) {
            const char* value = std::getenv(std::string(name).c_str());
            return std::string(value == nullptr ? "" : value);
          },
      .may_connect =
          [](absl::string_view path) { return access(std::string(path).c_str(), W_OK) == 0; },
      .clock = clock,
      .zone = absl::LocalTimeZone(),
      .out = std::cout,
      .err = std::cerr,
      .err_is_terminal = isatty(STDERR_FILENO) == 1};
  return sluice::RunCli(std::vector<std::string>(argv, argv + argc), environment);
}
