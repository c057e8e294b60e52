// Errors: the one table from a reason to its gRPC code, to whether trying again helps, and to cause
// and remedy in words.
//
// A failure that an operator may have to act on is made by `MakeError`; the reason travels inside
// the absl::Status as a payload and over the wire as google.rpc.ErrorInfo (domain "sluice").
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sluice/v1/errors.pb.h"

namespace sluice {

// The domain of every google.rpc.ErrorInfo that Sluice sends.
inline constexpr absl::string_view kErrorDomain = "sluice";

// What is known about one reason.
struct ErrorFacts {
  v1::Reason reason = v1::REASON_UNSPECIFIED;
  absl::StatusCode code = absl::StatusCode::kUnknown;
  bool retryable = false;
  absl::string_view cause;   // A sentence for an operator: what is the matter.
  absl::string_view remedy;  // A sentence for an operator: what to do about it.
};

// The facts about `reason`; those of REASON_UNSPECIFIED when it is unknown here.
const ErrorFacts& FactsOf(v1::Reason reason);

// The name without its prefix, for example "UPSTREAM_CONNECT".
std::string ReasonName(v1::Reason reason);

// The reason with that name (without prefix); REASON_UNSPECIFIED when there is none.
v1::Reason ReasonFromName(absl::string_view name);

// A failure with the reason's code. `message` is a fragment in lower case that names the thing and
// the value.
absl::Status MakeError(v1::Reason reason, absl::string_view message);

// `status` with another reason, or with one; keeps its code and message. For who translates errors.
absl::Status WithReason(absl::Status status, v1::Reason reason);

// The reason that `status` carries; REASON_UNSPECIFIED when it carries none.
v1::Reason ReasonOf(const absl::Status& status);

// Whether trying the same again may succeed: by reason where there is one, else by code.
bool IsRetryable(const absl::Status& status);

// How long the other side asks to wait before the next try (google.rpc.RetryInfo); zero when it
// does not say.
absl::Duration RetryDelayOf(const absl::Status& status);
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

// One wrong field of a request.
struct FieldViolation {
  std::string field;        // The path, as in "files[2].sha256".
  std::string description;  // What is wrong and what would be right.
};

// INVALID_ARGUMENT with google.rpc.BadRequest naming the fields.
absl::Status InvalidRequest(const std::vector<FieldViolation>& violations);

// The fields that `status` names, which may have come over the wire; none when it names none.
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);

}  // namespace sluice
