// JSON values: text in and out of raw mode: taking values from a stream, and printing messages
// as grpcurl does.
#pragma once

#include <istream>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace sluice {

// Takes the JSON values that follow each other from a stream, each as soon as it is complete.
class JsonValueReader {
 public:
  // `in` must outlive this.
  explicit JsonValueReader(std::istream& in) : in_(in) {}

  // The next value; none at the end. Blocks like the stream.
  //
  // Errors: INVALID_ARGUMENT the stream ends inside of a value.
  absl::StatusOr<std::optional<std::string>> Next();

 private:
  std::istream& in_;
};

// Two blanks an indentation, fields in the order of their numbers.
absl::StatusOr<std::string> ToIndentedJson(const google::protobuf::Message& message,
                                           bool emit_defaults);

}  // namespace sluice
