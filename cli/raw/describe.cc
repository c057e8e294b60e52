#include "cli/raw/describe.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sluice {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::OneofDescriptor;
using google::protobuf::ServiceDescriptor;

std::string Indent(int depth) { return std::string(static_cast<size_t>(depth) * 2, ' '); }

std::string TypeOf(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) return "." + field.message_type()->full_name();
  if (field.enum_type() != nullptr) return "." + field.enum_type()->full_name();
  return field.type_name();
}

std::string DescribeField(const FieldDescriptor& field) {
  if (field.is_map()) {
    const Descriptor& entry = *field.message_type();
    return absl::StrCat("map<", TypeOf(*entry.map_key()), ", ", TypeOf(*entry.map_value()), "> ",
                        field.name(), " = ", field.number(), ";");
  }
  const bool optional = field.has_optional_keyword();
  return absl::StrCat(field.is_repeated() ? "repeated "
                      : optional          ? "optional "
                                          : "",
                      TypeOf(field), " ", field.name(), " = ", field.number(), ";");
}

std::string DescribeEnum(const EnumDescriptor& type) {
  std::vector<const EnumValueDescriptor*> values;
  for (int i = 0; i < type.value_count(); ++i) values.push_back(type.value(i));
  // The zero value first, then by number and name.
  std::sort(
      values.begin(), values.end(), [](const EnumValueDescriptor* a, const EnumValueDescriptor* b) {
        if ((a->number() == 0) != (b->number() == 0)) return a->number() == 0;
        return std::make_pair(a->number(), a->name()) < std::make_pair(b->number(), b->name());
      });
  std::string text = absl::StrCat("enum ", type.name(), " {\n");
  for (const EnumValueDescriptor* value : values) {
    absl::StrAppend(&text, "  ", value->name(), " = ", value->number(), ";\n");
  }
  return text + "}";
}

std::string DescribeMessage(const Descriptor& type) {
  std::map<int, std::string> by_number;  // A oneof stands where its first field does.
  std::set<const OneofDescriptor*> seen;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const OneofDescriptor* const oneof = field.real_containing_oneof();
    if (oneof == nullptr) {
      by_number[field.number()] = absl::StrCat("  ", DescribeField(field), "\n");
      continue;
    }
    if (!seen.insert(oneof).second) continue;
    std::map<int, std::string> members;
    for (int j = 0; j < oneof->field_count(); ++j) {
      members[oneof->field(j)->number()] =
          absl::StrCat("    ", DescribeField(*oneof->field(j)), "\n");
    }
    std::string text = absl::StrCat("  oneof ", oneof->name(), " {\n");
    for (const auto& [number, member] : members) text += member;
    by_number[members.begin()->first] = text + "  }\n";
  }
  std::string text = absl::StrCat("message ", type.name(), " {\n");
  for (const auto& [number, field] : by_number) text += field;
  return text + "}";
}

std::string DescribeService(const ServiceDescriptor& service) {
  std::map<std::string, std::string> methods;
  for (int i = 0; i < service.method_count(); ++i) {
    methods[service.method(i)->name()] = DescribeMethod(*service.method(i));
  }
  std::string text = absl::StrCat("service ", service.name(), " {\n");
  for (const auto& [name, method] : methods) absl::StrAppend(&text, "  ", method, "\n");
  return text + "}";
}

std::string Said(absl::string_view name, absl::string_view kind, absl::string_view text) {
  return absl::StrCat(name, " is ", kind, ":\n", text, "\n");
}

// The template's value of one field, not counting repetition.
std::string ValueTemplate(const FieldDescriptor& field, std::set<const Descriptor*>& open,
                          int depth);

std::string ObjectTemplate(const Descriptor& message, std::set<const Descriptor*>& open,
                           int depth) {
  if (message.full_name() == "google.protobuf.Timestamp") return "\"1970-01-01T00:00:00Z\"";
  if (message.full_name() == "google.protobuf.Duration") return "\"0s\"";
  if (!open.insert(&message).second) return "null";
  std::map<int, std::string> fields;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    std::string value = ValueTemplate(field, open, depth + 1 + (field.is_repeated() ? 1 : 0));
    if (field.is_repeated() && !field.is_map()) {
      value = absl::StrCat("[\n", Indent(depth + 2), value, "\n", Indent(depth + 1), "]");
    }
    fields[field.number()] =
        absl::StrCat(Indent(depth + 1), "\"", field.json_name(), "\": ", value);
  }
  open.erase(&message);
  if (fields.empty()) return "{}";
  std::vector<std::string> lines;
  for (auto& [number, line] : fields) lines.push_back(std::move(line));
  return absl::StrCat("{\n", absl::StrJoin(lines, ",\n"), "\n", Indent(depth), "}");
}

std::string ValueTemplate(const FieldDescriptor& field, std::set<const Descriptor*>& open,
                          int depth) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return field.is_map() ? "{}" : ObjectTemplate(*field.message_type(), open, depth);
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("\"", field.enum_type()->value(0)->name(), "\"");
    case FieldDescriptor::CPPTYPE_STRING:
      return "\"\"";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "false";
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "\"0\"";
    default:
      return "0";
  }
}

}  // namespace

std::string DescribeMethod(const MethodDescriptor& method) {
  const auto side = [](bool streams, const Descriptor& type) {
    return absl::StrCat("( ", streams ? "stream " : "", ".", type.full_name(), " )");
  };
  return absl::StrCat("rpc ", method.name(), " ",
                      side(method.client_streaming(), *method.input_type()), " returns ",
                      side(method.server_streaming(), *method.output_type()), ";");
}

std::string MessageTemplate(const Descriptor& message) {
  std::set<const Descriptor*> open;
  return ObjectTemplate(message, open, 0);
}

absl::StatusOr<std::string> DescribeSymbol(const google::protobuf::DescriptorPool& pool,
                                           absl::string_view symbol) {
  const std::string name(symbol);
  if (const auto* service = pool.FindServiceByName(name)) {
    return Said(name, "a service", DescribeService(*service));
  }
  if (const auto* method = pool.FindMethodByName(name)) {
    return Said(name, "a method", DescribeMethod(*method));
  }
  if (const auto* message = pool.FindMessageTypeByName(name)) {
    return Said(name, "a message", DescribeMessage(*message));
  }
  if (const auto* type = pool.FindEnumTypeByName(name)) {
    return Said(name, "an enum", DescribeEnum(*type));
  }
  if (const auto* field = pool.FindFieldByName(name)) {
    return Said(name, "a field", DescribeField(*field));
  }
  return absl::NotFoundError(absl::StrCat("Symbol not found: ", symbol));
}

}  // namespace sluice
