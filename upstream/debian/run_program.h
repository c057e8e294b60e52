// Run program: a tool of the system, run without a shell, with its output read back.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::debian {

struct ProgramResult {
  int exit_code = 0;
  std::string output;  // Standard output.
  std::string errors;  // Standard error, at most 64 KiB.
};

// Runs `arguments[0]` by its path and waits. Standard input is empty; the environment is only
// LC_ALL=C and a PATH.
//
// Errors: UNAVAILABLE it cannot be started, was killed, or wrote more than 64 MiB.
absl::StatusOr<ProgramResult> RunProgram(const std::vector<std::string>& arguments);

}  // namespace sluice::debian
