#include "cli/output.h"

#include <array>
#include <exception>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/util/json_util.h"
#include "yaml-cpp/yaml.h"

namespace sluice {
namespace {

// Whether every reader of YAML takes `text` for a text when it stands without quotes.
bool IsPlainText(const std::string& text) {
  constexpr std::array<absl::string_view, 8> kOtherMeaning = {"true", "false", "yes", "no",
                                                              "on",   "off",   "y",   "n"};
  if (text.empty() || absl::EqualsIgnoreCase(text, "null")) return false;
  for (const absl::string_view word : kOtherMeaning) {
    if (absl::EqualsIgnoreCase(text, word)) return false;
  }
  if (!absl::ascii_isalpha(static_cast<unsigned char>(text[0])) && text[0] != '/') return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        !absl::StrContains("_-./+~ ", absl::string_view(&c, 1))) {
      return false;
    }
  }
  return text.back() != ' ';
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", absl::string_view(&c, 1));
    } else if (c == '\n') {
      absl::StrAppend(&quoted, "\\n");
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      absl::StrAppendFormat(&quoted, "\\x%02x",
                            static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// Writes what stands after "key:" or "-", including the line break.
void AppendYaml(const YAML::Node& node, const std::string& indent, bool in_list,
                std::string& text) {
  if (node.IsScalar()) {
    const bool is_text = node.Tag() == "!";
    const std::string& value = node.Scalar();
    absl::StrAppend(&text, " ", !is_text || IsPlainText(value) ? value : Quoted(value), "\n");
    return;
  }
  if (!node.IsMap() && !node.IsSequence()) {
    absl::StrAppend(&text, " null\n");
    return;
  }
  if (node.size() == 0) {
    absl::StrAppend(&text, node.IsMap() ? " {}\n" : " []\n");
    return;
  }
  // The first entry of a mapping in a list stands beside the "-".
  bool beside = in_list && node.IsMap();
  if (!beside && !text.empty()) absl::StrAppend(&text, "\n");
  for (const auto& entry : node) {
    absl::StrAppend(&text, beside ? " " : indent);
    beside = false;
    if (node.IsMap()) {
      absl::StrAppend(&text, entry.first.Scalar(), ":");
      AppendYaml(entry.second, indent + "  ", /*in_list=*/false, text);
    } else {
      absl::StrAppend(&text, "-");
      AppendYaml(entry, indent + "  ", /*in_list=*/true, text);
    }
  }
}

}  // namespace

absl::StatusOr<OutputFormat> ParseOutputFormat(absl::string_view text) {
  if (text == "table") return OutputFormat::kTable;
  if (text == "json") return OutputFormat::kJson;
  if (text == "yaml") return OutputFormat::kYaml;
  if (text == "name") return OutputFormat::kName;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is none of table, json, yaml, name"));
}

std::string ToJson(const google::protobuf::Message& message, bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) return absl::StrCat("{\"error\": ", Quoted(status.ToString()), "}\n");
  if (!absl::EndsWith(text, "\n")) text += "\n";
  return text;
}

std::string ToYaml(const google::protobuf::Message& message) {
  const std::string json = ToJson(message, /*indented=*/false);
  try {
    // JSON is YAML, so its own reader keeps the order of fields that another way would lose.
    std::string text;
    AppendYaml(YAML::Load(json), "", /*in_list=*/false, text);
    return text;
  } catch (const std::exception&) {
    return json;
  }
}

}  // namespace sluice
