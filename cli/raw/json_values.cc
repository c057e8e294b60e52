#include "cli/raw/json_values.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/status.h"
#include "google/protobuf/util/json_util.h"

namespace sluice {

absl::StatusOr<std::optional<std::string>> JsonValueReader::Next() {
  std::string value;
  int depth = 0;
  bool in_string = false;
  bool escaped = false;
  for (int next = in_.get(); next != std::istream::traits_type::eof(); next = in_.get()) {
    const char c = static_cast<char>(next);
    if (!in_string && depth == 0 && absl::ascii_isspace(static_cast<unsigned char>(c))) {
      if (value.empty()) continue;
      return value;
    }
    value.push_back(c);
    if (in_string) {
      in_string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return value;
    }
  }
  if (in_string || depth > 0) return absl::InvalidArgumentError("unexpected EOF");
  if (value.empty()) return std::nullopt;
  return value;
}

absl::StatusOr<std::string> ToIndentedJson(const google::protobuf::Message& message,
                                           bool emit_defaults) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = emit_defaults;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InvalidArgumentError(std::string(status.message()));
  // The library indents by one blank; line breaks inside of strings are escaped, so every line
  // begins with indentation.
  std::string indented;
  for (const absl::string_view line :
       absl::StrSplit(absl::StripTrailingAsciiWhitespace(json), '\n')) {
    const size_t blanks = std::min(line.find_first_not_of(' '), line.size());
    absl::StrAppend(&indented, indented.empty() ? "" : "\n", std::string(blanks, ' '), line);
  }
  // Go escapes what HTML would read; the library has done so with "<" and ">". In JSON a "&" stands
  // in strings only.
  return absl::StrReplaceAll(indented, {{"&", "\\u0026"}});
}

}  // namespace sluice
