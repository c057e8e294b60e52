// Version order: which of two Debian versions is newer (Debian Policy, section 5.6.12).
#pragma once

#include "absl/strings/string_view.h"

namespace sluice::debian {

// Negative, zero or positive as `a` is older, equal or newer than `b`.
int CompareVersions(absl::string_view a, absl::string_view b);

}  // namespace sluice::debian
