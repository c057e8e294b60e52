// Release: which release of Sluice this is.
#pragma once

#include "absl/strings/string_view.h"

namespace sluice {

// As in "0.1.0": the project's VERSION in CMakeLists.txt.
absl::string_view Release();

}  // namespace sluice
