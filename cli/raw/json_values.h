// JSON values: text in and out of raw mode: splitting a stream into values, and printing messages
// as grpcurl does.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace sluice {

// The JSON values that follow each other in `text`. Errors: INVALID_ARGUMENT the text ends inside
// of a value.
absl::StatusOr<std::vector<std::string>> SplitJsonValues(absl::string_view text);

// Two blanks an indentation, fields in the order of their numbers.
absl::StatusOr<std::string> ToIndentedJson(const google::protobuf::Message& message,
                                           bool emit_defaults);

}  // namespace sluice
