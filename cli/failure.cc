#include "cli/failure.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "cli/table.h"
#include "common/errors.h"

namespace sluice {
namespace {

// Payloads that tell our own failures from those of calls.
constexpr absl::string_view kUsageMark = "sluice.cli/usage";
constexpr absl::string_view kLocalMark = "sluice.cli/local";

absl::Status Marked(absl::StatusCode code, absl::string_view message, absl::string_view mark) {
  absl::Status status(code, message);
  status.SetPayload(mark, absl::Cord());
  return status;
}

}  // namespace

absl::Status UsageError(absl::string_view message) {
  return Marked(absl::StatusCode::kInvalidArgument, message, kUsageMark);
}

absl::Status LocalFailure(absl::string_view message) {
  return Marked(absl::StatusCode::kUnknown, message, kLocalMark);
}

int ExitCodeOfFailure(const absl::Status& status) {
  if (status.GetPayload(kUsageMark).has_value()) return kExitUsage;
  if (status.GetPayload(kLocalMark).has_value()) return kExitFailure;
  return kExitCall + static_cast<int>(status.code());
}

void PrintFailure(const absl::Status& status, std::ostream& err) {
  const bool is_call = ExitCodeOfFailure(status) >= kExitCall;
  err << "sluice: " << Printable(status.message(), /*keep_line_breaks=*/true);
  const v1::Reason reason = ReasonOf(status);
  if (is_call) {
    err << " (" << absl::StatusCodeToString(status.code());
    if (reason != v1::REASON_UNSPECIFIED) err << ", " << ReasonName(reason);
    err << ")";
  }
  err << "\n";
  if (reason == v1::REASON_UNSPECIFIED) return;
  err << "  cause:  " << FactsOf(reason).cause << "\n  remedy: " << FactsOf(reason).remedy << "\n";
}

}  // namespace sluice
