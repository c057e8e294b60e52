// Output: messages for programs, as JSON or YAML.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace sluice {

enum class OutputFormat { kTable, kJson, kYaml, kName };

// "table", "json", "yaml" or "name". Errors: INVALID_ARGUMENT another text.
absl::StatusOr<OutputFormat> ParseOutputFormat(absl::string_view text);

// The message in protobuf's JSON. Fields without a value are there too, so that programs find them.
// With `indented` on several lines, else on one; ends with a line break.
std::string ToJson(const google::protobuf::Message& message, bool indented);

// The same as YAML, in block style.
std::string ToYaml(const google::protobuf::Message& message);

}  // namespace sluice
