#include "common/yaml.h"

#include <cmath>
#include <exception>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/credentials.h"
#include "common/duration_text.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/yaml.h"

namespace sluice {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

constexpr size_t kMistakesMax = 10;

// Where a value stands: its path of fields and its line.
struct Place {
  std::string path;
  int line = 1;
};

int LineOf(const YAML::Node& node, int otherwise) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? otherwise : mark.line + 1;
}

// yaml-cpp's tag of a scalar in quotes; a plain one has "?".
bool IsQuoted(const YAML::Node& node) { return node.Tag() == "!"; }

absl::string_view TypeName(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      return "a mapping";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Scalar:
      return "a single value";
    default:
      return "nothing";
  }
}

// The value's name without what it shares with its enum: "LOW" for SEVERITY_LOW of Severity.
absl::string_view ShortName(const EnumValueDescriptor& value) {
  absl::string_view name = value.name();
  absl::string_view prefix = value.type()->value(0)->name();
  if (absl::ConsumeSuffix(&prefix, "UNSPECIFIED")) {
    absl::ConsumePrefix(&name, prefix);
  }
  return name;
}

const EnumValueDescriptor* FindEnumValue(const EnumDescriptor& type, absl::string_view text) {
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor* value = type.value(i);
    if (absl::EqualsIgnoreCase(absl::string_view(value->name()), text) ||
        absl::EqualsIgnoreCase(ShortName(*value), text)) {
      return value;
    }
  }
  return nullptr;
}

std::string EnumNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 1; i < type.value_count(); ++i) {
    names.push_back(absl::AsciiStrToLower(ShortName(*type.value(i))));
  }
  return absl::StrJoin(names, ", ");
}

std::string FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

// Walks one document and the message side by side, and notes every mistake with its place.
class YamlReader {
 public:
  explicit YamlReader(absl::string_view file_name) : file_name_(file_name) {}

  void ReadMessage(const YAML::Node& node, const Place& place, int depth, Message& out);

  // INVALID_ARGUMENT with all mistakes; OK when there is none.
  absl::Status status() const {
    if (mistakes_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(TextWithoutCredentials(absl::StrJoin(mistakes_, "; ")));
  }

 private:
  bool Full() const { return mistakes_.size() >= kMistakesMax; }
  void Mistake(const Place& place, absl::string_view what) {
    if (Full()) return;
    mistakes_.push_back(absl::StrCat(file_name_, ":", place.line, ": ", place.path,
                                     place.path.empty() ? "" : ": ", what));
  }
  bool TakeValue(const Place& place, int depth);
  void ReadField(const YAML::Node& node, const Place& place, int depth,
                 const FieldDescriptor& field, Message& out);
  void ReadList(const YAML::Node& node, const Place& place, int depth, const FieldDescriptor& field,
                Message& out);
  void ReadOne(const YAML::Node& node, const Place& place, int depth, const FieldDescriptor& field,
               Message& out);
  void ReadDuration(const std::string& text, const Place& place, Message& out);
  void ReadScalar(const YAML::Node& node, const Place& place, const FieldDescriptor& field,
                  Message& out);
  void ReadNumber(const YAML::Node& node, const Place& place, const FieldDescriptor& field,
                  Message& out);
  template <typename T>
  bool ReadInteger(const YAML::Node& node, const Place& place, T& value);
  template <typename T>
  void ReadIntegerInto(const YAML::Node& node, const Place& place, const FieldDescriptor& field,
                       void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
                       void (Reflection::*add)(Message*, const FieldDescriptor*, T) const,
                       Message& out);

  const std::string file_name_;
  int values_ = 0;
  std::vector<std::string> mistakes_;
};

// Bounds what aliases can multiply and what an alias to its own container would make endless.
bool YamlReader::TakeValue(const Place& place, int depth) {
  if (Full()) return false;
  if (depth > kYamlDepthMax) {
    Mistake(place, absl::StrCat("is nested deeper than ", kYamlDepthMax, " levels"));
    return false;
  }
  if (++values_ > kYamlValuesMax) {
    // Once is enough: everything after it is beyond the limit as well.
    if (values_ == kYamlValuesMax + 1) {
      Mistake(place, absl::StrCat("the document has more than ", kYamlValuesMax,
                                  " values, counting aliases as often as they are used"));
    }
    return false;
  }
  return true;
}

void YamlReader::ReadMessage(const YAML::Node& node, const Place& place, int depth, Message& out) {
  if (!TakeValue(place, depth)) return;
  const Descriptor& type = *out.GetDescriptor();
  if (!node.IsMap()) {
    Mistake(place,
            absl::StrCat("must be a mapping of ", FieldNames(type), ", and is ", TypeName(node)));
    return;
  }
  absl::flat_hash_map<std::string, int> first_lines;
  absl::flat_hash_map<const OneofDescriptor*, std::string> chosen;
  for (const auto& entry : node) {
    const int line = LineOf(entry.first, place.line);
    if (!entry.first.IsScalar()) {
      Mistake({place.path, line},
              absl::StrCat("a key must be a field's name, and is ", TypeName(entry.first)));
      continue;
    }
    const std::string& key = entry.first.Scalar();
    const Place at{place.path.empty() ? key : absl::StrCat(place.path, ".", key), line};
    const FieldDescriptor* field = type.FindFieldByName(key);
    if (field == nullptr) {
      Mistake(at, absl::StrCat("unknown field; known here: ", FieldNames(type)));
      continue;
    }
    const auto [first, is_new] = first_lines.emplace(key, line);
    if (!is_new) {
      Mistake(at, absl::StrCat("repeated; it stands in line ", first->second, " already"));
      continue;
    }
    if (const OneofDescriptor* group = field->real_containing_oneof(); group != nullptr) {
      const auto [other, is_first] = chosen.emplace(group, key);
      if (!is_first) {
        Mistake(at, absl::StrCat("cannot be given together with ", other->second));
        continue;
      }
    }
    ReadField(entry.second, at, depth + 1, *field, out);
  }
}

void YamlReader::ReadField(const YAML::Node& node, const Place& place, int depth,
                           const FieldDescriptor& field, Message& out) {
  if (!TakeValue(place, depth)) return;
  if (field.is_map()) {
    Mistake(place, "mappings with free keys are not supported");
  } else if (field.is_repeated()) {
    ReadList(node, place, depth, field, out);
  } else {
    ReadOne(node, place, depth, field, out);
  }
}

void YamlReader::ReadList(const YAML::Node& node, const Place& place, int depth,
                          const FieldDescriptor& field, Message& out) {
  if (!node.IsSequence()) {
    Mistake(place, absl::StrCat("must be a list, and is ", TypeName(node)));
    return;
  }
  int index = 0;
  for (const YAML::Node& element : node) {
    const Place at{absl::StrCat(place.path, "[", index, "]"), LineOf(element, place.line)};
    ++index;
    if (!TakeValue(at, depth + 1)) return;
    ReadOne(element, at, depth + 1, field, out);
  }
}

void YamlReader::ReadOne(const YAML::Node& node, const Place& place, int depth,
                         const FieldDescriptor& field, Message& out) {
  if (node.IsNull()) {
    Mistake(place, "has no value; give one, or leave the line out");
    return;
  }
  const Reflection& reflection = *out.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
      field.message_type() != google::protobuf::Duration::descriptor()) {
    Message* inner = field.is_repeated() ? reflection.AddMessage(&out, &field)
                                         : reflection.MutableMessage(&out, &field);
    ReadMessage(node, place, depth, *inner);
    return;
  }
  if (!node.IsScalar()) {
    Mistake(place, absl::StrCat("must be a single value, and is ", TypeName(node)));
    return;
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    ReadDuration(node.Scalar(), place,
                 field.is_repeated() ? *reflection.AddMessage(&out, &field)
                                     : *reflection.MutableMessage(&out, &field));
    return;
  }
  ReadScalar(node, place, field, out);
}

void YamlReader::ReadDuration(const std::string& text, const Place& place, Message& out) {
  const absl::StatusOr<absl::Duration> parsed = ParseDurationText(text);
  if (!parsed.ok()) {
    Mistake(place, parsed.status().message());
    return;
  }
  absl::Duration rest;
  google::protobuf::Duration duration;
  duration.set_seconds(absl::IDivDuration(*parsed, absl::Seconds(1), &rest));
  duration.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(rest)));
  out.CopyFrom(duration);
}

void YamlReader::ReadScalar(const YAML::Node& node, const Place& place,
                            const FieldDescriptor& field, Message& out) {
  const Reflection& reflection = *out.GetReflection();
  const std::string& text = node.Scalar();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) {
        Mistake(place, "raw bytes cannot be given in YAML");
      } else if (field.is_repeated()) {
        reflection.AddString(&out, &field, text);
      } else {
        reflection.SetString(&out, &field, text);
      }
      return;
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool value = text == "true" || text == "True" || text == "TRUE";
      if (IsQuoted(node) || (!value && text != "false" && text != "False" && text != "FALSE")) {
        Mistake(place, absl::StrCat("must be true or false without quotes, and is \"", text, "\""));
      } else if (field.is_repeated()) {
        reflection.AddBool(&out, &field, value);
      } else {
        reflection.SetBool(&out, &field, value);
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumValueDescriptor* value = FindEnumValue(*field.enum_type(), text);
      if (value == nullptr) {
        Mistake(place, absl::StrCat("\"", text, "\" is none of ", EnumNames(*field.enum_type())));
      } else if (field.is_repeated()) {
        reflection.AddEnum(&out, &field, value);
      } else {
        reflection.SetEnum(&out, &field, value);
      }
      return;
    }
    default:
      ReadNumber(node, place, field, out);
  }
}

void YamlReader::ReadNumber(const YAML::Node& node, const Place& place,
                            const FieldDescriptor& field, Message& out) {
  const Reflection& reflection = *out.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return ReadIntegerInto<int32_t>(node, place, field, &Reflection::SetInt32,
                                      &Reflection::AddInt32, out);
    case FieldDescriptor::CPPTYPE_INT64:
      return ReadIntegerInto<int64_t>(node, place, field, &Reflection::SetInt64,
                                      &Reflection::AddInt64, out);
    case FieldDescriptor::CPPTYPE_UINT32:
      return ReadIntegerInto<uint32_t>(node, place, field, &Reflection::SetUInt32,
                                       &Reflection::AddUInt32, out);
    case FieldDescriptor::CPPTYPE_UINT64:
      return ReadIntegerInto<uint64_t>(node, place, field, &Reflection::SetUInt64,
                                       &Reflection::AddUInt64, out);
    default:
      break;
  }
  double value = 0;
  if (IsQuoted(node) || !absl::SimpleAtod(node.Scalar(), &value) || !std::isfinite(value)) {
    Mistake(place, absl::StrCat("must be a number without quotes, and is \"", node.Scalar(), "\""));
    return;
  }
  const bool is_double = field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
  if (field.is_repeated()) {
    is_double ? reflection.AddDouble(&out, &field, value)
              : reflection.AddFloat(&out, &field, static_cast<float>(value));
  } else {
    is_double ? reflection.SetDouble(&out, &field, value)
              : reflection.SetFloat(&out, &field, static_cast<float>(value));
  }
}

// Decimal digits only: a leading zero means octal to some readers of YAML and decimal to others, so
// it is refused.
template <typename T>
bool YamlReader::ReadInteger(const YAML::Node& node, const Place& place, T& value) {
  const std::string& text = node.Scalar();
  absl::string_view digits = text;
  absl::ConsumePrefix(&digits, "-");
  bool decimal = !digits.empty() && !IsQuoted(node) && (digits.size() == 1 || digits[0] != '0');
  for (const char c : digits) decimal = decimal && absl::ascii_isdigit(static_cast<uint8_t>(c));
  if (!decimal) {
    Mistake(place,
            absl::StrCat("must be a whole decimal number without quotes, and is \"", text, "\""));
    return false;
  }
  if (!absl::SimpleAtoi(text, &value)) {
    Mistake(place,
            absl::StrCat(text, " is out of range; it must be from ", std::numeric_limits<T>::min(),
                         " to ", std::numeric_limits<T>::max()));
    return false;
  }
  return true;
}

template <typename T>
void YamlReader::ReadIntegerInto(const YAML::Node& node, const Place& place,
                                 const FieldDescriptor& field,
                                 void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
                                 void (Reflection::*add)(Message*, const FieldDescriptor*, T) const,
                                 Message& out) {
  T value = 0;
  if (!ReadInteger(node, place, value)) return;
  (out.GetReflection()->*(field.is_repeated() ? add : set))(&out, &field, value);
}

// The number of the first line that is not UTF-8 (RFC 3629) or holds a NUL byte; 0 when there is
// none.
int FirstBadLine(absl::string_view text) {
  int line = 1;
  for (size_t i = 0; i < text.size();) {
    const uint8_t lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead == 0 || (lead >= 0x80 && lead < 0xC2) || lead > 0xF4) return line;
    if (text.size() - i < length) return line;
    uint32_t rune = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (size_t k = 1; k < length; ++k) {
      const uint8_t next = static_cast<uint8_t>(text[i + k]);
      if ((next & 0xC0) != 0x80) return line;
      rune = rune << 6 | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && rune < 0x800) || (length == 4 && rune < 0x10000);
    if (overlong || rune > 0x10FFFF || (rune >= 0xD800 && rune < 0xE000)) return line;
    if (lead == '\n') ++line;
    i += length;
  }
  return 0;
}

// Notes where documents start, and keeps nothing.
class DocumentStarts : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { line_ = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  // Of the document that started last.
  int line() const { return line_; }

 private:
  int line_ = 1;
};

// The line where a second document starts; 0 when there is none. A document is asked for once more
// and no further: from a comma that opens the text, yaml-cpp makes empty documents without end.
int SecondDocumentLine(absl::string_view text) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  DocumentStarts starts;
  if (!parser.HandleNextDocument(starts)) return 0;
  return parser.HandleNextDocument(starts) ? starts.line() : 0;
}

absl::Status ReadDocuments(absl::string_view text, absl::string_view file_name, Message& out) {
  // yaml-cpp takes a quote that is never closed for one that ends with the text, unless the text
  // ends without a line break.
  SecondDocumentLine(absl::StripTrailingAsciiWhitespace(text));
  if (const int line = SecondDocumentLine(text); line != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_name, ":", line, ": a second document; only one is read"));
  }
  const YAML::Node document = YAML::Load(std::string(text));
  if (document.IsNull()) return absl::OkStatus();
  YamlReader reader(file_name);
  reader.ReadMessage(document, {"", LineOf(document, 1)}, 1, out);
  return reader.status();
}

}  // namespace

absl::Status ParseYaml(absl::string_view text, absl::string_view file_name, Message& out) {
  out.Clear();
  if (static_cast<int64_t>(text.size()) > kYamlBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(file_name, ": has ", text.size(),
                                                   " bytes; at most ", kYamlBytesMax, " are read"));
  }
  if (const int line = FirstBadLine(text); line != 0) {
    return absl::InvalidArgumentError(absl::StrCat(file_name, ":", line, ": not UTF-8 text"));
  }
  try {
    return ReadDocuments(text, file_name, out);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_name, ":", error.mark.is_null() ? 1 : error.mark.line + 1,
                     ": not YAML: ", TextWithoutCredentials(error.msg)));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(file_name, ": not YAML: ", error.what()));
  }
}

}  // namespace sluice
