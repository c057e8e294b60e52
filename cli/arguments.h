// Arguments: the flags and positionals of one invocation, checked against what the verb knows.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

// A flag that is understood.
struct FlagSpec {
  absl::string_view name;  // With its dashes, as in "--group".
  // What its value is, as in "NAME", or all that it can be, as in "table|json"; empty: it takes
  // none.
  absl::string_view value;
  absl::string_view help;
  bool repeated = false;
};

class Arguments {
 public:
  // Reads `words`: "--name value", "--name=value", "--name"; everything after "--" is positional.
  //
  // Errors: INVALID_ARGUMENT an unknown or repeated flag, a value that is missing or too many.
  static absl::StatusOr<Arguments> Parse(const std::vector<std::string>& words,
                                         const std::vector<FlagSpec>& flags);

  const std::vector<std::string>& positionals() const { return positionals_; }
  bool Has(absl::string_view flag) const { return values_.contains(std::string(flag)); }

  // The flag's value; empty when it was not given.
  std::string Get(absl::string_view flag) const;
  std::vector<std::string> GetAll(absl::string_view flag) const;

 private:
  std::vector<std::string> positionals_;
  std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace sluice
