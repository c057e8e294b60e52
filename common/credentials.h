// Credentials: users and passwords in URLs, taken out of what is shown.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sluice {

// A URL as it may be shown: without user and password.
std::string WithoutCredentials(absl::string_view url);

}  // namespace sluice
