// Failure: what goes wrong in `sluice`, as a message, a cause, a remedy and an exit code.
#pragma once

#include <ostream>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sluice {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
// `parity check` only.
inline constexpr int kExitDifferences = 1;
inline constexpr int kExitStandingLoss = 2;
inline constexpr int kExitUnknown = 3;
// Plus the gRPC code of a call that failed.
inline constexpr int kExitCall = 64;

// The command line is wrong.
absl::Status UsageError(absl::string_view message);

// Something on this side failed, not a call.
absl::Status LocalFailure(absl::string_view message);

// kExitUsage, kExitFailure, or kExitCall plus the code of a call.
int ExitCodeOfFailure(const absl::Status& status);

// "sluice: MESSAGE", and where a reason is known, its cause and remedy on lines of their own.
void PrintFailure(const absl::Status& status, std::ostream& err);

}  // namespace sluice
