#include "cli/run.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/failure.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/showing_caller.h"
#include "cli/verb.h"
#include "common/duration_text.h"
#include "common/release.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr absl::string_view kDefaultAddress = "127.0.0.1:8530";
constexpr absl::string_view kAdminSocket = "/run/sluice/admin.sock";
constexpr absl::string_view kViewerSocket = "/run/sluice/viewer.sock";

const FlagSpec* FindGlobalFlag(absl::string_view word) {
  const absl::string_view name = word.substr(0, word.find('='));
  for (const FlagSpec& flag : GlobalFlags()) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

bool IsFlag(absl::string_view word) { return word.size() > 1 && word[0] == '-'; }

// First words of verbs.
std::set<std::string> Nouns() {
  std::set<std::string> nouns = {"help"};
  for (const Verb& verb : AllVerbs()) {
    nouns.insert(std::string(verb.name.substr(0, verb.name.find(' '))));
  }
  return nouns;
}

// The position behind the leading flags that every verb knows, and behind their values.
size_t SkipGlobalFlags(const std::vector<std::string>& args, size_t begin) {
  size_t i = begin;
  while (i < args.size() && IsFlag(args[i])) {
    const FlagSpec* flag = FindGlobalFlag(args[i]);
    if (flag == nullptr) break;
    const bool takes_next = !flag->value.empty() && !absl::StrContains(args[i], "=");
    i += takes_next ? 2 : 1;
  }
  return std::min(i, args.size());
}

const Verb* FindVerb(const std::vector<Verb>& verbs, absl::string_view name) {
  for (const Verb& verb : verbs) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

// The verbs whose first word is `noun`, for a message.
std::string VerbsOf(const std::vector<Verb>& verbs, absl::string_view noun) {
  std::vector<absl::string_view> names;
  for (const Verb& verb : verbs) {
    if (absl::StartsWith(verb.name, absl::StrCat(noun, " "))) names.push_back(verb.name);
  }
  return absl::StrJoin(names, ", ");
}

// A verb and the words that are not its name.
struct Command {
  const Verb* verb = nullptr;
  std::vector<std::string> words;
};

absl::StatusOr<Command> FindCommand(const std::vector<Verb>& verbs,
                                    const std::vector<std::string>& args) {
  const size_t at = SkipGlobalFlags(args, 1);
  if (at >= args.size()) return UsageError("a verb is missing");
  if (IsFlag(args[at])) return UsageError(absl::StrCat("unknown flag ", args[at]));
  Command command;
  size_t length = 0;
  if (at + 1 < args.size()) {
    command.verb = FindVerb(verbs, absl::StrCat(args[at], " ", args[at + 1]));
    length = 2;
  }
  if (command.verb == nullptr) {
    command.verb = FindVerb(verbs, args[at]);
    length = 1;
  }
  if (command.verb == nullptr) {
    const std::string choices = VerbsOf(verbs, args[at]);
    if (!choices.empty()) return UsageError(absl::StrCat("say which: ", choices));
    return UsageError(
        absl::StrCat("\"", args[at], "\" is no verb; known are ", absl::StrJoin(Nouns(), ", ")));
  }
  command.words.assign(args.begin() + 1, args.begin() + static_cast<std::ptrdiff_t>(at));
  command.words.insert(command.words.end(), args.begin() + static_cast<std::ptrdiff_t>(at + length),
                       args.end());
  return command;
}

std::string AddressOf(const Arguments& args, const CliEnvironment& environment) {
  if (args.Has("--address")) return args.Get("--address");
  if (std::string address = environment.variable("SLUICE_ADDRESS"); !address.empty()) {
    return address;
  }
  for (const absl::string_view path : {kAdminSocket, kViewerSocket}) {
    if (environment.may_connect(path)) return absl::StrCat("unix:", path);
  }
  return std::string(kDefaultAddress);
}

// Whether others than this machine's own programs can be there.
bool IsLocal(absl::string_view address) {
  return absl::StartsWith(address, "unix:") || absl::StartsWith(address, "127.") ||
         absl::StartsWith(address, "localhost:") || absl::StartsWith(address, "[::1]:");
}

// A node on this machine is called in plaintext unless the flag says otherwise; every other with a
// certificate.
CliTarget TargetOf(const Arguments& args, const CliEnvironment& environment) {
  CliTarget target = {AddressOf(args, environment), args.Get("--certificates")};
  if (!target.certificates.empty() || IsLocal(target.address)) return target;
  target.certificates = environment.variable("SLUICE_CERTIFICATES");
  if (target.certificates.empty()) {
    target.certificates = absl::StrCat(environment.variable("HOME"), "/.config/sluice");
  }
  return target;
}

// Stands for the node of verbs that call none.
class NoCaller : public Caller {
 public:
  absl::Status Unary(absl::string_view, const google::protobuf::Message&,
                     google::protobuf::Message&) override {
    return absl::InternalError("this verb calls no node");
  }
  absl::Status ServerStream(absl::string_view, const google::protobuf::Message&,
                            google::protobuf::Message&, absl::Duration,
                            absl::FunctionRef<bool()>) override {
    return absl::InternalError("this verb calls no node");
  }
  absl::Status ClientStream(absl::string_view, google::protobuf::Message&,
                            absl::FunctionRef<absl::StatusOr<bool>()>,
                            google::protobuf::Message&) override {
    return absl::InternalError("this verb calls no node");
  }
};

absl::StatusOr<int> RunVerb(const Verb& verb, Arguments args, CliEnvironment& environment) {
  const size_t count = args.positionals().size();
  if (count < verb.positionals_min) {
    return UsageError(absl::StrCat(verb.name, " needs ", verb.positionals));
  }
  if (count > verb.positionals_max) {
    return UsageError(absl::StrCat("\"", args.positionals()[verb.positionals_max],
                                   "\" is one argument too many for ", verb.name));
  }
  if (args.Has("--dry-run") && !verb.changes_state) {
    return UsageError(absl::StrCat("--dry-run: ", verb.name, " changes nothing anyway"));
  }
  OutputFormat format = OutputFormat::kTable;
  if (args.Has("-o")) {
    const absl::StatusOr<OutputFormat> parsed = ParseOutputFormat(args.Get("-o"));
    if (!parsed.ok()) return UsageError(absl::StrCat("-o: ", parsed.status().message()));
    format = *parsed;
  }
  CallLimits limits;
  if (args.Has("--timeout")) {
    const absl::StatusOr<absl::Duration> timeout = ParseDurationText(args.Get("--timeout"));
    if (!timeout.ok()) return UsageError(absl::StrCat("--timeout: ", timeout.status().message()));
    limits = {*timeout, *timeout};
  }
  const CliTarget target = TargetOf(args, environment);
  std::unique_ptr<Caller> caller = std::make_unique<NoCaller>();
  if (!verb.method.empty()) {
    ASSIGN_OR_RETURN(caller, environment.connect(target, limits));
  }
  ShowingCaller showing(*caller, target, environment.err);
  const bool shows = args.Has("--show-rpc");
  const bool dry_run = args.Has("--dry-run");
  Invocation invocation = {.caller = shows ? showing : *caller,
                           .clock = environment.clock,
                           .zone = environment.zone,
                           .args = std::move(args),
                           .format = format,
                           .dry_run = dry_run,
                           .draws_progress = environment.err_is_terminal,
                           .out = environment.out,
                           .err = environment.err};
  return verb.run(invocation);
}

// Prints the help that is asked for, if any is.
std::optional<int> Help(const std::vector<Verb>& verbs, const std::vector<std::string>& args,
                        CliEnvironment& environment) {
  const auto given = [&](absl::string_view word) {
    return std::find(args.begin() + 1, args.end(), word) != args.end();
  };
  const size_t at = SkipGlobalFlags(args, 1);
  const bool asks = given("--help") || given("-h") || (at < args.size() && args[at] == "help");
  if (args.size() == 1) {
    PrintHelp(verbs, environment.err);
    return kExitUsage;
  }
  if (!asks) {
    if (!given("--version")) return std::nullopt;
    environment.out << "sluice " << Release() << "\n";
    return kExitOk;
  }
  std::vector<std::string> words;
  for (size_t i = at; i < args.size(); ++i) {
    if (args[i] != "help" && !IsFlag(args[i])) words.push_back(args[i]);
  }
  bool found = false;
  for (const Verb& verb : verbs) {
    const std::vector<std::string> name = absl::StrSplit(verb.name, ' ');
    const size_t length = std::min(name.size(), words.size());
    if (length == 0 || !std::equal(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(length),
                                   words.begin())) {
      continue;
    }
    if (found) environment.out << "\n";
    PrintVerbHelp(verb, environment.out);
    found = true;
  }
  if (!found) PrintHelp(verbs, environment.out);
  return kExitOk;
}

absl::StatusOr<int> RunCommand(const std::vector<Verb>& verbs, const std::vector<std::string>& args,
                               CliEnvironment& environment) {
  ASSIGN_OR_RETURN(Command command, FindCommand(verbs, args));
  std::vector<FlagSpec> flags = GlobalFlags();
  flags.insert(flags.end(), command.verb->flags.begin(), command.verb->flags.end());
  absl::StatusOr<Arguments> parsed = Arguments::Parse(command.words, flags);
  if (!parsed.ok()) {
    return UsageError(
        absl::StrCat(parsed.status().message(), "; see sluice ", command.verb->name, " --help"));
  }
  return RunVerb(*command.verb, *std::move(parsed), environment);
}

}  // namespace

bool IsRawMode(const std::vector<std::string>& args) {
  if (args.empty()) return false;
  if (args[0] == "grpcurl" || absl::EndsWith(args[0], "/grpcurl")) return true;
  const size_t at = SkipGlobalFlags(args, 1);
  if (at >= args.size()) return false;
  const std::set<std::string> nouns = Nouns();
  if (!IsFlag(args[at])) {
    return !nouns.contains(args[at]) &&
           (absl::StrContains(args[at], ":") || absl::StrContains(args[at], "/"));
  }
  if (!absl::StartsWith(args[at], "--")) return true;
  // grpcurl takes its flags with two dashes as well; beside one of our verbs it is a misspelt flag
  // of ours.
  return std::none_of(args.begin() + static_cast<std::ptrdiff_t>(at), args.end(),
                      [&](const std::string& word) { return nouns.contains(word); });
}

int RunCli(const std::vector<std::string>& args, CliEnvironment& environment) {
  if (IsRawMode(args)) {
    return environment.run_raw(std::vector<std::string>(args.begin() + 1, args.end()));
  }
  const std::vector<Verb> verbs = AllVerbs();
  if (const std::optional<int> helped = Help(verbs, args, environment)) return *helped;
  const absl::StatusOr<int> code = RunCommand(verbs, args, environment);
  if (code.ok()) return *code;
  PrintFailure(code.status(), environment.err);
  return ExitCodeOfFailure(code.status());
}

}  // namespace sluice
