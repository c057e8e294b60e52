// Deb822: Debian's control-file format, stanza by stanza (deb822(5)).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sluice::debian {

// One paragraph. Views into the text that was parsed; values keep their continuation lines, joined
// by "\n".
class Stanza {
 public:
  // The value of a field, whatever the case of its name; empty when there is none.
  absl::string_view Get(absl::string_view name) const;
  bool empty() const { return fields_.empty(); }

 private:
  friend absl::Status ForEachStanza(absl::string_view, absl::string_view,
                                    const std::function<absl::Status(const Stanza&)>&);
  std::vector<std::pair<absl::string_view, absl::string_view>> fields_;
};

// Calls `visit` for each stanza of `text`, whose name is for messages.
//
// Errors: INVALID_ARGUMENT SOURCE_MALFORMED naming file and line; those of `visit`.
absl::Status ForEachStanza(absl::string_view text, absl::string_view name,
                           const std::function<absl::Status(const Stanza&)>& visit);

// The lines of a multi-line value, without the blanks around them; empty lines are left out.
std::vector<absl::string_view> Lines(absl::string_view value);

}  // namespace sluice::debian
