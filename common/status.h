// Status: small additions to absl::Status that this release of Abseil lacks.
//
// Messages are fragments in lower case that callers join from the outside in:
//   fetching linux-image-6.1: connecting to hq:8531: connection refused
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

// Puts "`context`: " in front of a failure's message and keeps code and payloads. Leaves OK alone.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

}  // namespace sluice

#define SLUICE_STATUS_CONCAT_INNER_(x, y) x##y
#define SLUICE_STATUS_CONCAT_(x, y) SLUICE_STATUS_CONCAT_INNER_(x, y)

// Returns from the enclosing function when `expr`, an absl::Status, is a failure.
#define RETURN_IF_ERROR(expr)                                         \
  do {                                                                \
    if (absl::Status sluice_status_ = (expr); !sluice_status_.ok()) { \
      return sluice_status_;                                          \
    }                                                                 \
  } while (false)

// Assigns the value of `expr`, an absl::StatusOr, to `lhs`, or returns its failure.
#define ASSIGN_OR_RETURN(lhs, expr) \
  SLUICE_ASSIGN_OR_RETURN_(SLUICE_STATUS_CONCAT_(sluice_status_or_, __LINE__), lhs, expr)
#define SLUICE_ASSIGN_OR_RETURN_(result, lhs, expr) \
  auto result = (expr);                             \
  if (!result.ok()) return result.status();         \
  lhs = *std::move(result)
