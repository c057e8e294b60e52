#include "cli/raw/raw_flags.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status.h"

namespace sluice {
namespace {

// grpcurl's flags that this release has no use for yet: said by name, instead of "not defined".
constexpr absl::string_view kLaterFlags[] = {"insecure",
                                             "authority",
                                             "servername",
                                             "H",
                                             "rpc-header",
                                             "reflect-header",
                                             "expand-headers",
                                             "user-agent",
                                             "proto",
                                             "import-path",
                                             "protoset",
                                             "protoset-out",
                                             "proto-out-dir",
                                             "use-reflection",
                                             "max-msg-sz",
                                             "keepalive-time",
                                             "v",
                                             "vv",
                                             "alts",
                                             "alts-handshaker-service",
                                             "alts-target-service-account"};

struct Targets {
  std::map<std::string, bool*> booleans;
  std::map<std::string, std::string*> strings;
  std::map<std::string, double*> seconds;
};

Targets TargetsOf(RawFlags& flags) {
  return {
      {{"help", &flags.help},
       {"h", &flags.help},
       {"version", &flags.version},
       {"plaintext", &flags.plaintext},
       {"unix", &flags.unix_socket},
       {"emit-defaults", &flags.emit_defaults},
       {"format-error", &flags.format_error},
       {"allow-unknown-fields", &flags.allow_unknown_fields},
       {"msg-template", &flags.msg_template}},
      {{"d", &flags.data},
       {"format", &flags.format},
       {"cacert", &flags.authorities},
       {"cert", &flags.certificate},
       {"key", &flags.key}},
      {{"connect-timeout", &flags.connect_timeout_seconds}, {"max-time", &flags.max_time_seconds}}};
}

absl::Status NotDefined(const std::string& name) {
  for (const absl::string_view later : kLaterFlags) {
    if (name == later) {
      return absl::InvalidArgumentError(absl::StrCat("flag -", name, " is not supported"));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("flag provided but not defined: -", name));
}

absl::Status SetBoolean(const std::string& name, const std::optional<std::string>& value,
                        bool& target) {
  // strconv.ParseBool's words.
  static constexpr absl::string_view kTrue[] = {"1", "t", "T", "TRUE", "true", "True"};
  static constexpr absl::string_view kFalse[] = {"0", "f", "F", "FALSE", "false", "False"};
  const bool says_true = !value.has_value() ||
                         std::find(std::begin(kTrue), std::end(kTrue), *value) != std::end(kTrue);
  target = says_true;
  if (!says_true && std::find(std::begin(kFalse), std::end(kFalse), *value) == std::end(kFalse)) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid boolean value \"", *value, "\" for -", name, ": parse error"));
  }
  return absl::OkStatus();
}

absl::Status SetSeconds(const std::string& name, const std::string& value, double& target) {
  if (!absl::SimpleAtod(value, &target) || std::isnan(target)) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value \"", value, "\" for flag -", name, ": parse error"));
  }
  if (target < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("The -", name, " argument must not be negative."));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RawFlags> ParseRawFlags(const std::vector<std::string>& args) {
  RawFlags flags;
  const Targets targets = TargetsOf(flags);
  size_t i = 0;
  for (; i < args.size(); ++i) {
    absl::string_view word = args[i];
    if (word.size() < 2 || word.front() != '-') break;
    if (word == "--") {
      ++i;
      break;
    }
    absl::ConsumePrefix(&word, "-");
    absl::ConsumePrefix(&word, "-");
    const size_t equals = word.find('=');
    const std::string name(word.substr(0, equals));
    if (name.empty() || name.front() == '-') {
      return absl::InvalidArgumentError(absl::StrCat("bad flag syntax: ", args[i]));
    }
    std::optional<std::string> value;
    if (equals != absl::string_view::npos) value = std::string(word.substr(equals + 1));

    if (const auto boolean = targets.booleans.find(name); boolean != targets.booleans.end()) {
      RETURN_IF_ERROR(SetBoolean(name, value, *boolean->second));
      continue;
    }
    const auto text = targets.strings.find(name);
    const auto seconds = targets.seconds.find(name);
    if (text == targets.strings.end() && seconds == targets.seconds.end()) return NotDefined(name);
    if (!value.has_value()) {
      if (++i == args.size()) {
        return absl::InvalidArgumentError(absl::StrCat("flag needs an argument: -", name));
      }
      value = args[i];
    }
    if (text != targets.strings.end()) {
      *text->second = *value;
      flags.has_data |= name == "d";
    } else {
      RETURN_IF_ERROR(SetSeconds(name, *value, *seconds->second));
    }
  }
  flags.positionals.assign(args.begin() + static_cast<std::ptrdiff_t>(std::min(i, args.size())),
                           args.end());
  if (flags.certificate.empty() != flags.key.empty()) {
    return absl::InvalidArgumentError(
        "The -cert and -key arguments must be used together and both be present.");
  }
  if (flags.plaintext && !flags.certificate.empty()) {
    return absl::InvalidArgumentError(
        "The -plaintext argument cannot be used with -cert and -key.");
  }
  if (flags.format != "json") {
    return absl::InvalidArgumentError("The -format option must be 'json'.");
  }
  return flags;
}

std::string RawUsage() {
  return "Usage:\n"
         "  sluice [flags] ADDRESS [list|describe] [SYMBOL]\n"
         "  sluice [flags] ADDRESS SERVICE/METHOD\n"
         "\n"
         "ADDRESS is host:port or unix:/path. Flags come first:\n"
         "  -plaintext             no TLS\n"
         "  -cacert, -cert, -key   files in PEM for TLS; a node asks for a certificate\n"
         "  -d DATA                the request as JSON; @ reads it from standard input\n"
         "  -emit-defaults         print fields that have their default\n"
         "  -allow-unknown-fields  ignore fields of the request that do not exist\n"
         "  -format-error          print a failure as google.rpc.Status in JSON\n"
         "  -msg-template          with describe MESSAGE: print a JSON template\n"
         "  -connect-timeout SEC   default 10\n"
         "  -max-time SEC          deadline of everything\n"
         "  -unix                  ADDRESS is the path of a socket\n"
         "\n"
         "Exit codes: 0 success, 1 failure around the call, 2 wrong usage, 64 + gRPC code when "
         "the\n"
         "call failed (NotFound 69, PermissionDenied 71, FailedPrecondition 73, Unavailable 78).\n";
}

}  // namespace sluice
