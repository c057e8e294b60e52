// Condition: a standing problem, in the words of its reason.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sluice/v1/errors.pb.h"
#include "sluice/v1/maintenance_service.pb.h"

namespace sluice {

// With the cause and the remedy that belong to the reason.
v1::Condition MakeCondition(v1::Reason reason, absl::string_view message, absl::Time since);

}  // namespace sluice
