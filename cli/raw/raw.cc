#include "cli/raw/raw.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cli/raw/describe.h"
#include "cli/raw/json_values.h"
#include "cli/raw/raw_flags.h"
#include "cli/raw/reflection_client.h"
#include "common/release.h"
#include "common/rpc/channel.h"
#include "common/rpc/connect_probe.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/wire_status.h"
#include "common/status.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/status.pb.h"

namespace sluice {
namespace {

constexpr int kUsageError = 2;
constexpr int kRpcErrorBase = 64;

// grpc-go's names of the codes, which scripts match on.
constexpr const char* kCodeNames[] = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

// One command line on its way.
class RawCommand {
 public:
  RawCommand(RawFlags flags, std::istream& in, std::ostream& out, std::ostream& err)
      : flags_(std::move(flags)), in_(in), out_(out), err_(err) {}

  int Run() {
    std::vector<std::string>& words = flags_.positionals;
    if (words.empty()) return Usage("Too few arguments.");
    const std::string address = words.front();
    words.erase(words.begin());
    if (address == "list" || address == "describe") return Usage("No host:port specified.");
    if (words.empty()) return Usage("Too few arguments.");
    const bool list_or_describe = words[0] == "list" || words[0] == "describe";
    if (words.size() > (list_or_describe ? 2U : 1U)) return Usage("Too many arguments.");
    if (const absl::Status dialled = Dial(address); !dialled.ok()) {
      return Fail(
          absl::StrCat("Failed to dial target host \"", address, "\": ", dialled.message()));
    }
    const std::string symbol = words.size() == 2 ? words[1] : "";
    if (words[0] == "list") return List(symbol);
    if (words[0] == "describe") return Describe(symbol);
    return Invoke(words[0]);
  }

 private:
  int Usage(absl::string_view message) {
    err_ << message << "\nTry 'sluice -help' for more details.\n";
    return kUsageError;
  }

  int Fail(absl::string_view message) {
    err_ << message << "\n";
    return 1;
  }

  absl::Status Dial(const std::string& address) {
    ChannelOptions options;
    if (!flags_.plaintext) {
      if (flags_.certificate.empty() || flags_.authorities.empty()) {
        return absl::InvalidArgumentError(
            "TLS needs -cacert, -cert and -key, for a node asks for a certificate; on this machine "
            "there is -plaintext");
      }
      options.certificate = {flags_.key, flags_.certificate, flags_.authorities};
    }
    std::string target = address;
    if (flags_.unix_socket && !absl::StartsWith(target, "unix:")) target = "unix:" + target;
    target = absl::StrReplaceAll(target, {{"unix://", "unix:"}});
    if (flags_.connect_timeout_seconds > 0) {
      options.connect_timeout = absl::Seconds(flags_.connect_timeout_seconds);
    }
    options.user_agent = absl::StrCat("sluice/", Release());
    ASSIGN_OR_RETURN(channel_, Channel::Create(target, options));
    // Says at once what is wrong with the address or with the certificates on either side.
    ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(target));
    RETURN_IF_ERROR(ProbeConnect(endpoint, options.connect_timeout, options.certificate));
    if (flags_.max_time_seconds > 0) {
      call_options_.deadline = absl::Now() + absl::Seconds(flags_.max_time_seconds);
    }
    reflection_ = std::make_unique<ReflectionClient>(*channel_, call_options_);
    return absl::OkStatus();
  }

  int List(const std::string& service) {
    if (service.empty()) {
      const auto names = reflection_->ListServices();
      if (!names.ok()) {
        return Fail(absl::StrCat("Failed to list services: ", names.status().message()));
      }
      for (const std::string& name : *names) out_ << name << "\n";
      if (names->empty()) out_ << "(No services)\n";
      return 0;
    }
    const absl::Status loaded = reflection_->Load(service);
    const auto* descriptor = loaded.ok() ? reflection_->pool().FindServiceByName(service) : nullptr;
    if (descriptor == nullptr) {
      return Fail(absl::StrCat("Failed to list methods for service \"", service, "\": ",
                               loaded.ok() ? absl::StrCat("Symbol not found: ", service)
                                           : std::string(loaded.message())));
    }
    std::vector<std::string> names;
    for (int i = 0; i < descriptor->method_count(); ++i) {
      names.push_back(descriptor->method(i)->full_name());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) out_ << name << "\n";
    if (names.empty()) out_ << "(No methods)\n";
    return 0;
  }

  int Describe(const std::string& symbol) {
    std::vector<std::string> symbols = {std::string(absl::StripPrefix(symbol, "."))};
    if (symbol.empty()) {
      auto names = reflection_->ListServices();
      if (!names.ok()) {
        return Fail(absl::StrCat("Failed to list services: ", names.status().message()));
      }
      if (names->empty()) return Fail("Server returned an empty list of exposed services");
      symbols = *std::move(names);
    }
    for (const std::string& name : symbols) {
      const absl::Status loaded = reflection_->Load(name);
      const absl::StatusOr<std::string> text =
          loaded.ok() ? DescribeSymbol(reflection_->pool(), name) : loaded;
      if (!text.ok()) {
        return Fail(
            absl::StrCat("Failed to resolve symbol \"", name, "\": ", text.status().message()));
      }
      out_ << *text;
      const auto* message = reflection_->pool().FindMessageTypeByName(name);
      if (flags_.msg_template && message != nullptr) {
        out_ << "\nMessage template:\n" << MessageTemplate(*message) << "\n";
      }
    }
    return 0;
  }

  int Invoke(const std::string& name) {
    const size_t split = name.find('/') == std::string::npos ? name.rfind('.') : name.rfind('/');
    const std::string context = absl::StrCat("Error invoking method \"", name, "\": ");
    if (split == std::string::npos) {
      return Fail(absl::StrCat(context, "given method name \"", name,
                               "\" is not in expected format: 'service/method' or "
                               "'service.method'"));
    }
    const std::string service = name.substr(0, split);
    const std::string method_name = name.substr(split + 1);
    const absl::Status loaded = reflection_->Load(service);
    if (absl::IsNotFound(loaded)) {
      return Fail(absl::StrCat(context, "target server does not expose service \"", service, "\""));
    }
    if (!loaded.ok()) return Fail(absl::StrCat(context, loaded.message()));
    const auto* descriptor = reflection_->pool().FindServiceByName(service);
    const auto* method =
        descriptor == nullptr ? nullptr : descriptor->FindMethodByName(method_name);
    if (method == nullptr) {
      return Fail(absl::StrCat(context, "service \"", service,
                               "\" does not include a method named \"", method_name, "\""));
    }
    std::istringstream given(flags_.data);
    return Call(*method, flags_.data == "@" ? in_ : given, context);
  }

  // The request that a JSON value stands for.
  absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseRequest(
      const google::protobuf::MethodDescriptor& method, const std::string& value) {
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = flags_.allow_unknown_fields;
    std::unique_ptr<google::protobuf::Message> request(
        messages_.GetPrototype(method.input_type())->New());
    const auto parsed = google::protobuf::util::JsonStringToMessage(value == "null" ? "{}" : value,
                                                                    request.get(), options);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("error getting request data: ", std::string(parsed.message())));
    }
    return request;
  }

  // The request of a method that takes one.
  absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ReadOnlyRequest(
      const google::protobuf::MethodDescriptor& method, std::istream& data) {
    JsonValueReader values(data);
    ASSIGN_OR_RETURN(const std::optional<std::string> value, values.Next());
    ASSIGN_OR_RETURN(const std::optional<std::string> another, values.Next());
    if (another.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("method \"", method.full_name(), "\" is a ",
                       method.server_streaming() ? "server-streaming" : "unary",
                       " RPC, but request data contained more than 1 message"));
    }
    return ParseRequest(method, value.value_or("{}"));
  }

  // Sends each value as soon as it is there. OK when all were sent, or the call ended before.
  absl::Status SendAll(const google::protobuf::MethodDescriptor& method, std::istream& data,
                       ClientStream& stream) {
    JsonValueReader values(data);
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<std::string> value, values.Next());
      if (!value.has_value()) break;
      ASSIGN_OR_RETURN(const auto request, ParseRequest(method, *value));
      if (!stream.Write(*request)) return absl::OkStatus();
    }
    stream.CloseWrites();
    return absl::OkStatus();
  }

  int Call(const google::protobuf::MethodDescriptor& method, std::istream& data,
           const std::string& context) {
    std::unique_ptr<google::protobuf::Message> only_request;
    if (!method.client_streaming()) {
      auto request = ReadOnlyRequest(method, data);
      if (!request.ok()) return Fail(absl::StrCat(context, request.status().message()));
      only_request = *std::move(request);
    }
    const std::string path = absl::StrCat(method.service()->full_name(), "/", method.name());
    const std::unique_ptr<ClientStream> stream = channel_->Open(path, call_options_);
    absl::Status sent;
    std::thread sender;
    if (only_request != nullptr) {
      if (stream->Write(*only_request)) stream->CloseWrites();
    } else {
      // Answers are printed while requests are still being sent, or typed.
      sender = std::thread([&] {
        sent = SendAll(method, data, *stream);
        if (!sent.ok()) stream->Cancel();
      });
    }
    const int exit_code = PrintAnswers(
        method, *stream,
        [&] {
          if (sender.joinable()) sender.join();
          return sent;
        },
        context);
    return exit_code;
  }

  // `sent` waits for the sender and tells what became of it.
  int PrintAnswers(const google::protobuf::MethodDescriptor& method, ClientStream& stream,
                   const std::function<absl::Status()>& sent, const std::string& context) {
    const std::unique_ptr<google::protobuf::Message> response(
        messages_.GetPrototype(method.output_type())->New());
    while (stream.Read(*response)) {
      const absl::StatusOr<std::string> json = ToIndentedJson(*response, flags_.emit_defaults);
      out_ << (json.ok()
                   ? *json
                   : absl::StrCat("Failed to format response message: ", json.status().message()))
           << std::endl;
    }
    const absl::Status status = stream.Finish();
    if (!status.ok() && !absl::IsCancelled(status)) {
      // Before the sender is waited for: somebody may be typing.
      const int exit_code = PrintStatus(status);
      sent().IgnoreError();
      return exit_code;
    }
    if (const absl::Status requests = sent(); !requests.ok()) {
      return Fail(absl::StrCat(context, requests.message()));
    }
    return status.ok() ? 0 : PrintStatus(status);
  }

  int PrintStatus(const absl::Status& status) {
    const WireStatus wire = ToWire(status);
    google::rpc::Status details;
    details.ParseFromString(wire.details);
    details.set_code(wire.code);
    details.set_message(wire.message);
    const int exit_code = kRpcErrorBase + wire.code;
    if (flags_.format_error) {
      err_ << ToIndentedJson(details, false).value_or("");
      return exit_code;
    }
    const bool known = wire.code >= 0 && wire.code < static_cast<int>(std::size(kCodeNames));
    err_ << "ERROR:\n  Code: "
         << (known ? kCodeNames[wire.code] : absl::StrCat("Code(", wire.code, ")"))
         << "\n  Message: " << wire.message << "\n";
    if (!details.details().empty()) err_ << "  Details:\n";
    for (int i = 0; i < details.details_size(); ++i) {
      const std::string prefix = absl::StrCat("  ", i + 1, ")");
      const std::string json = ToIndentedJson(details.details(i), false).value_or("{}");
      err_ << prefix << "\t"
           << absl::StrReplaceAll(
                  json, {{"\n", absl::StrCat("\n", std::string(prefix.size(), ' '), "\t")}})
           << "\n";
    }
    return exit_code;
  }

  RawFlags flags_;
  std::istream& in_;
  std::ostream& out_;
  std::ostream& err_;
  CallOptions call_options_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<ReflectionClient> reflection_;
  google::protobuf::DynamicMessageFactory messages_;
};

}  // namespace

int RunRaw(const std::vector<std::string>& args, std::istream& in, std::ostream& out,
           std::ostream& err) {
  absl::StatusOr<RawFlags> flags = ParseRawFlags(args);
  if (!flags.ok()) {
    err << flags.status().message() << "\nTry 'sluice -help' for more details.\n";
    return kUsageError;
  }
  if (flags->help) {
    err << RawUsage();
    return 0;
  }
  if (flags->version) {
    err << "sluice " << Release() << "\n";
    return 0;
  }
  return RawCommand(*std::move(flags), in, out, err).Run();
}

}  // namespace sluice
