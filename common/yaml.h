// YAML: reads a configuration file or a manifest into a protobuf message, which is its schema, its
// check and its documentation.
//
// Nothing is guessed. A key is a field's name as in the .proto file; a text field takes the
// scalar's characters as they stand, so `03:00`, `no` and `1.10` stay texts; a number or a truth
// value that is quoted is refused; a Duration is text with a unit (see duration_text.h); an enum is
// a value's name, with or without its prefix, in any case: `SEVERITY_LOW`, `low`.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace sluice {

// The largest text that is read.
inline constexpr int64_t kYamlBytesMax = 4 << 20;

// Values in one document, aliases counted as often as they are used; and how deep they may be
// nested.
inline constexpr int kYamlValuesMax = 100000;
inline constexpr int kYamlDepthMax = 32;

// Replaces `out` by what the one document in `text` says; an empty document is an empty message.
// `file_name` is for messages only. When it fails, `out` is unspecified.
//
// Errors:
//   INVALID_ARGUMENT not YAML, or it does not fit the message: an unknown, repeated or empty field,
//   a wrong type, a number out
//                    of range, two fields of which only one may be given, a malformed length of
//                    time, more than one document. Each of up to ten mistakes is named as
//                    "sluice.yaml:12: node.listeners[1].roles: ...", joined by "; ".
absl::Status ParseYaml(absl::string_view text, absl::string_view file_name,
                       google::protobuf::Message& out);

}  // namespace sluice
