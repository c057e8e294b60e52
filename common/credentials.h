// Credentials: users and passwords in URLs, taken out of what is shown.
//
// Every text that names a URL of the configuration goes through here before it is logged, stored or
// answered. When in doubt more is taken out than had to be: a password with a "/" or an "@" in it,
// which is no proper URL, must not be shown either.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sluice {

// `url`, which may also be "user:password@host:port", without user and password.
std::string WithoutCredentials(absl::string_view url);

// The same of every word of `text` that looks like such a URL. Words end at blanks and double
// quotes.
std::string TextWithoutCredentials(absl::string_view text);

}  // namespace sluice
