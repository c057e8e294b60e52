#include "tests/system/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

int PollMilliseconds(absl::Duration timeout) {
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(timeout), 0, int64_t{3'600'000}));
}

// Whether `descriptor` becomes readable, or reaches its end, within `timeout`.
bool WaitReadable(int descriptor, absl::Duration timeout) {
  pollfd wait = {descriptor, POLLIN, 0};
  return poll(&wait, 1, PollMilliseconds(timeout)) > 0;
}

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& argv,
                            posix_spawn_file_actions_t& actions) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("starting ", argv[0]));
  return pid;
}

int OpenProcess(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& argv, const Output& output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  const auto redirect = [&](int descriptor, const std::string& file) {
    posix_spawn_file_actions_addopen(&actions, descriptor,
                                     file.empty() ? "/dev/null" : file.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
  };
  redirect(STDOUT_FILENO, output.out_file);
  redirect(STDERR_FILENO, output.err_file);
  const absl::StatusOr<pid_t> pid = Spawn(argv, actions);
  posix_spawn_file_actions_destroy(&actions);
  if (!pid.ok()) return pid.status();
  return std::unique_ptr<ChildProcess>(new ChildProcess(*pid, OpenProcess(*pid)));
}

ChildProcess::~ChildProcess() {
  if (!exit_code_.has_value()) {
    Signal(SIGKILL);
    Wait(absl::Seconds(30));
  }
  close(descriptor_);
}

void ChildProcess::Signal(int signal) const {
  if (!exit_code_.has_value()) kill(pid_, signal);
}

std::optional<int> ChildProcess::Wait(absl::Duration timeout) {
  if (exit_code_.has_value()) return exit_code_;
  if (!WaitReadable(descriptor_, timeout)) return std::nullopt;
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

Finished RunCommand(const std::vector<std::string>& argv, absl::Duration timeout) {
  const TemporaryDirectory directory;
  const ChildProcess::Output output = {directory.path() + "/out", directory.path() + "/err"};
  absl::StatusOr<std::unique_ptr<ChildProcess>> process = ChildProcess::Start(argv, output);
  Finished finished;
  if (!process.ok()) {
    finished.err = process.status().ToString();
    return finished;
  }
  finished.exit_code = (*process)->Wait(timeout).value_or(-1);
  finished.out = ReadFile(output.out_file);
  finished.err = ReadFile(output.err_file);
  return finished;
}

LineReader::LineReader(const std::vector<std::string>& argv) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    ADD_FAILURE() << "no pipe: " << errno;
    return;
  }
  pipe_ = ends[0];
  // The child writes through its own name of the pipe, which is what `Start` can redirect to.
  absl::StatusOr<std::unique_ptr<ChildProcess>> process =
      ChildProcess::Start(argv, {absl::StrCat("/proc/", getpid(), "/fd/", ends[1]), ""});
  close(ends[1]);
  if (process.ok()) {
    process_ = *std::move(process);
  } else {
    ADD_FAILURE() << process.status();
  }
}

LineReader::~LineReader() {
  process_.reset();
  if (pipe_ >= 0) close(pipe_);
}

std::optional<std::string> LineReader::TakeLine() {
  const size_t end = read_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = read_.substr(0, end);
  read_.erase(0, end + 1);
  return line;
}

std::optional<std::string> LineReader::Next(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    if (std::optional<std::string> line = TakeLine()) return line;
    if (!WaitReadable(pipe_, deadline - absl::Now())) return std::nullopt;
    char buffer[4096];
    const ssize_t bytes = read(pipe_, buffer, sizeof(buffer));
    if (bytes <= 0) {
      // Its end: nothing comes any more, and asking again must not turn into a busy loop.
      pollfd nothing = {-1, 0, 0};
      poll(&nothing, 1, PollMilliseconds(deadline - absl::Now()));
      return std::nullopt;
    }
    read_.append(buffer, static_cast<size_t>(bytes));
  }
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void WriteFile(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  ASSERT_TRUE(out.flush().good()) << path;
}

}  // namespace sluice
