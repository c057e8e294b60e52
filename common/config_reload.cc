#include "common/config_reload.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/credentials.h"

namespace sluice {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

// RunDaemon and ServingNode::Reload see to these.
constexpr std::array<absl::string_view, 3> kReloadable = {"node.log_level", "node.drain_timeout",
                                                          "node.users"};

// The path of a field's first difference, two levels deep: "node.users", "upstream.target".
class PathReporter : public MessageDifferencer::Reporter {
 public:
  void ReportAdded(const Message&, const Message&,
                   const std::vector<MessageDifferencer::SpecificField>& path) override {
    Add(path);
  }
  void ReportDeleted(const Message&, const Message&,
                     const std::vector<MessageDifferencer::SpecificField>& path) override {
    Add(path);
  }
  void ReportModified(const Message&, const Message&,
                      const std::vector<MessageDifferencer::SpecificField>& path) override {
    // A message is reported as well as the fields in it that differ.
    const auto* field = path.back().field;
    if (field != nullptr && field->message_type() != nullptr) return;
    Add(path);
  }

  const std::set<std::string>& paths() const { return paths_; }

 private:
  void Add(const std::vector<MessageDifferencer::SpecificField>& path) {
    std::string text;
    for (size_t i = 0; i < std::min<size_t>(path.size(), 2); ++i) {
      if (path[i].field == nullptr) break;
      absl::StrAppend(&text, text.empty() ? "" : ".", std::string(path[i].field->name()));
    }
    paths_.insert(text);
  }

  std::set<std::string> paths_;
};

// Takes the credentials out of all URLs.
void HideCredentials(Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int values = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < values; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        HideCredentials(field->is_repeated()
                            ? *reflection.MutableRepeatedMessage(&message, field, i)
                            : *reflection.MutableMessage(&message, field));
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field->is_repeated()) {
        const std::string text = reflection.GetString(message, field);
        if (!absl::StrContains(text, "://")) continue;
        reflection.SetString(&message, field, WithoutCredentials(text));
      }
    }
  }
}

}  // namespace

ConfigDifference CompareConfigs(const Message& before, const Message& after) {
  MessageDifferencer differencer;
  PathReporter reporter;
  differencer.ReportDifferencesTo(&reporter);
  differencer.Compare(before, after);
  ConfigDifference difference;
  for (const std::string& path : reporter.paths()) {
    const bool reloadable =
        std::find(kReloadable.begin(), kReloadable.end(), path) != kReloadable.end();
    (reloadable ? difference.reloadable : difference.fixed).push_back(path);
  }
  return difference;
}

void TakeReloadable(const config::v1::Node& from, config::v1::Node& to) {
  to.set_log_level(from.log_level());
  *to.mutable_drain_timeout() = from.drain_timeout();
  *to.mutable_users() = from.users();
}

std::string DumpConfig(const Message& config) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  const std::unique_ptr<Message> shown(config.New());
  shown->CopyFrom(config);
  HideCredentials(*shown);
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(*shown, &text, options);
  // JSON is YAML.
  return status.ok() ? text : absl::StrCat("# ", std::string(status.message()), "\n");
}

}  // namespace sluice
