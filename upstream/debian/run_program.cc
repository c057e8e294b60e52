#include "upstream/debian/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace sluice::debian {
namespace {

constexpr size_t kOutputBytesMax = size_t{64} << 20;
constexpr size_t kErrorBytesMax = size_t{64} << 10;

// Both ends of a pipe, closed in the end.
struct Pipe {
  std::array<int, 2> ends = {-1, -1};
  bool Open() { return pipe2(ends.data(), O_CLOEXEC) == 0; }
  void CloseWriter() {
    if (ends[1] >= 0) close(std::exchange(ends[1], -1));
  }
  ~Pipe() {
    CloseWriter();
    if (ends[0] >= 0) close(ends[0]);
  }
};

// Reads both pipes to their ends, as data comes.
absl::Status Drain(const Pipe& out, const Pipe& err, ProgramResult& result) {
  std::array<pollfd, 2> polled = {pollfd{out.ends[0], POLLIN, 0}, pollfd{err.ends[0], POLLIN, 0}};
  std::array<char, 65536> buffer{};
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (poll(polled.data(), polled.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return absl::ErrnoToStatus(errno, "waiting for a program");
    }
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      const ssize_t size = read(polled[i].fd, buffer.data(), buffer.size());
      if (size <= 0) {
        polled[i].fd = -1;
        continue;
      }
      std::string& text = i == 0 ? result.output : result.errors;
      if (i == 0 && text.size() + static_cast<size_t>(size) > kOutputBytesMax) {
        return absl::UnavailableError("a program wrote more than 64 MiB");
      }
      if (i == 0 || text.size() < kErrorBytesMax) {
        text.append(buffer.data(), static_cast<size_t>(size));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ProgramResult> RunProgram(const std::vector<std::string>& arguments) {
  Pipe out;
  Pipe err;
  if (!out.Open() || !err.Open()) return absl::ErrnoToStatus(errno, "making a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  // Signals that the daemon blocks for itself must reach the program.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::string locale = "LC_ALL=C";
  std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::array<char*, 3> environment = {locale.data(), path.data(), nullptr};
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("starting ", arguments[0], ": is it installed? (error ", error, ")"));
  }
  out.CloseWriter();
  err.CloseWriter();
  ProgramResult result;
  const absl::Status drained = Drain(out, err, result);
  if (!drained.ok()) kill(pid, SIGKILL);
  int wait_status = 0;
  while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  RETURN_IF_ERROR(drained);
  if (!WIFEXITED(wait_status)) {
    return absl::UnavailableError(absl::StrCat(arguments[0], " was killed"));
  }
  result.exit_code = WEXITSTATUS(wait_status);
  return result;
}

}  // namespace sluice::debian
