#include "tests/system/node_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sluice {

std::string Program(const std::string& name) { return absl::StrCat(SLUICE_BIN_DIR, "/", name); }

NodeProcess::NodeProcess(const std::string& directory, Options options)
    : directory_(absl::StrCat(directory, "/", options.name)), options_(std::move(options)) {
  std::filesystem::create_directories(directory_);
}

std::string NodeProcess::Config() const {
  std::string yaml =
      absl::StrCat("node:\n  name: ", options_.name, "\n  state_dir: ", state_dir(),
                   "\n  addresses_file: ", directory_, "/addresses\n  log_level: debug\n",
                   options_.node_yaml, "  listeners:\n");
  if (!options_.unix_only) {
    absl::StrAppend(&yaml, "    - address: 127.0.0.1:", options_.port,
                    "\n      roles: [viewer, approver, administrator, publisher, node]\n");
  }
  absl::StrAppend(&yaml, "    - address: unix:", directory_,
                  "/admin.sock\n      roles: [administrator]\n    - address: ", node_socket(),
                  "\n      roles: [node]\n", options_.listener_yaml, options_.role_yaml);
  return yaml;
}

std::vector<std::string> NodeProcess::Command(const std::vector<std::string>& args) const {
  std::vector<std::string> command = options_.wrapper;
  command.push_back(Program(options_.is_root ? "sluice-upstreamd" : "sluice-downstreamd"));
  command.insert(command.end(), args.begin(), args.end());
  command.insert(command.end(), {"--config", config_file()});
  return command;
}

void NodeProcess::Init() {
  WriteFile(config_file(), Config());
  const Finished made = RunCommand(Command({"init"}), kPatience);
  EXPECT_EQ(made.exit_code, 0) << options_.name << ": " << made.err;
  // "made node ID in DIRECTORY"
  const std::vector<std::string> words = absl::StrSplit(made.out, ' ');
  if (words.size() > 2) node_id_ = words[2];
}

Finished NodeProcess::Offline(const std::vector<std::string>& verb) {
  WriteFile(config_file(), Config());
  return RunCommand(Command(verb), kPatience);
}

void NodeProcess::Start() {
  WriteFile(config_file(), Config());
  std::filesystem::remove(directory_ + "/addresses");
  auto process = ChildProcess::Start(Command({}), {directory_ + "/log", directory_ + "/log"});
  ASSERT_TRUE(process.ok()) << process.status();
  process_ = *std::move(process);
  WaitUntilServing();
}

void NodeProcess::WaitUntilServing() {
  const int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  inotify_add_watch(watch, directory_.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO);
  const std::string file = directory_ + "/addresses";
  const absl::Time deadline = absl::Now() + kPatience;
  pollfd events[] = {{watch, POLLIN, 0}, {process_->descriptor(), POLLIN, 0}};
  while (!absl::StrContains(ReadFile(file), "admin.sock\n") && absl::Now() < deadline &&
         events[1].revents == 0) {
    poll(events, 2, 1000);
    char taken[4096];
    while (read(watch, taken, sizeof(taken)) > 0) {
    }
  }
  close(watch);
  const std::vector<std::string> lines = absl::StrSplit(ReadFile(file), '\n', absl::SkipEmpty());
  std::vector<std::string> addresses;
  for (const std::string& line : lines) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    (parts.first == "metrics" ? metrics_address_ : addresses.emplace_back()) = parts.second;
  }
  if (!addresses.empty()) {
    address_ = addresses.front();
    more_address_ = addresses.back();
  }
  EXPECT_NE(address_, "") << options_.name << " does not serve:\n" << log();
}

Finished NodeProcess::StartAndEnd() {
  WriteFile(config_file(), Config());
  return RunCommand(Command({}), kPatience);
}

void NodeProcess::Kill() {
  ASSERT_NE(process_, nullptr);
  process_->Signal(SIGKILL);
  EXPECT_EQ(process_->Wait(kPatience), 128 + SIGKILL);
  process_.reset();
}

std::optional<int> NodeProcess::Stop(absl::Duration timeout) {
  if (process_ == nullptr) return std::nullopt;
  process_->Signal(SIGTERM);
  const std::optional<int> exit_code = process_->Wait(timeout);
  process_.reset();
  return exit_code;
}

Finished NodeProcess::Cli(const std::vector<std::string>& args, absl::Duration timeout) const {
  std::vector<std::string> command = {Program("sluice"), "--address", address_};
  command.insert(command.end(), args.begin(), args.end());
  return RunCommand(command, timeout);
}

std::vector<std::string> NodeProcess::WithJson(std::vector<std::string> args) {
  args.insert(args.end(), {"-o", "json"});
  return args;
}

Finished NodeProcess::RawCall(const std::string& method, const std::string& json) const {
  return RunCommand({Program("sluice"), "-plaintext", "-d", json, address_, method}, kPatience);
}

std::unique_ptr<LineReader> NodeProcess::WatchSync() const {
  return std::make_unique<LineReader>(std::vector<std::string>{
      Program("sluice"), "--address", address_, "-o", "json", "sync", "watch"});
}

}  // namespace sluice
