#include "common/process.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/daemon_flags.h"
#include "common/errors.h"
#include "common/release.h"
#include "common/supervision.h"

namespace sluice {
namespace {

// Beyond `drain_timeout`: for closing the store.
constexpr absl::Duration kCloseTimeMax = absl::Seconds(10);

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  std::string text;
  std::array<char, 65536> part;
  size_t count = 0;
  // One byte over the limit is enough for ParseYaml to refuse it.
  while (file != nullptr && static_cast<int64_t>(text.size()) <= kYamlBytesMax &&
         (count = std::fread(part.data(), 1, part.size(), file)) > 0) {
    text.append(part.data(), count);
  }
  const bool failed = file == nullptr || std::ferror(file) != 0;
  const int error = errno;
  if (file != nullptr) std::fclose(file);
  if (failed) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path, ": ", std::strerror(error)));
  }
  return text;
}

// Writes `text` so that a reader finds all of it or none of it.
absl::Status WriteWhole(const std::string& path, absl::string_view text) {
  const std::string staged = absl::StrCat(path, ".", getpid());
  std::ofstream out(staged, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out || std::rename(staged.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(staged.c_str());
    return absl::UnknownError(absl::StrCat("writing ", path, ": ", std::strerror(error)));
  }
  return absl::OkStatus();
}

// Whether `path` is a directory with something in it, or something else that exists.
bool IsInUse(const std::string& path) {
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) return errno != ENOENT;
  bool used = false;
  while (const dirent* entry = readdir(dir)) {
    const absl::string_view name = entry->d_name;
    // A file system of its own brings its lost+found along.
    used = used || (name != "." && name != ".." && name != "lost+found");
  }
  closedir(dir);
  return used;
}

int Fail(const DaemonLife& life, ExitCode code, const absl::Status& status) {
  std::cerr << life.name << ": " << status.message() << "\n";
  if (const v1::Reason reason = ReasonOf(status); reason != v1::REASON_UNSPECIFIED) {
    std::cerr << "  reason: " << ReasonName(reason) << "\n  cause:  " << FactsOf(reason).cause
              << "\n  remedy: " << FactsOf(reason).remedy << "\n";
  }
  return static_cast<int>(code);
}

// The signals that end a daemon.
sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

// While it lives, a second stop signal, or `limit`, ends the process at once: a stop must not
// depend on a peer, a disk or a bug. What is acknowledged is on disk, so nothing is lost by it.
class StopWatchdog {
 public:
  StopWatchdog(absl::Duration limit, Log& log) : thread_([limit, &log] { Watch(limit, log); }) {}
  ~StopWatchdog() {
    pthread_kill(thread_.native_handle(), SIGUSR2);
    thread_.join();
  }
  StopWatchdog(const StopWatchdog&) = delete;
  StopWatchdog& operator=(const StopWatchdog&) = delete;

 private:
  static void Watch(absl::Duration limit, Log& log) {
    sigset_t signals = StopSignals();
    sigaddset(&signals, SIGUSR2);
    const absl::Time until = absl::Now() + limit;
    while (true) {
      const timespec rest = absl::ToTimespec(std::max(absl::ZeroDuration(), until - absl::Now()));
      const int signal = sigtimedwait(&signals, nullptr, &rest);
      if (signal == SIGUSR2) return;
      if (signal < 0 && errno == EINTR) continue;
      log.Error("daemon_broke_off",
                {{"why", signal < 0 ? "the stop took too long" : "a second stop signal"}});
      _exit(static_cast<int>(ExitCode::kFailure));
    }
  }

  std::thread thread_;
};

std::string AddressLines(const std::vector<ListeningAddress>& addresses) {
  std::string lines;
  for (const ListeningAddress& listener : addresses) {
    absl::StrAppend(&lines, absl::StrJoin(listener.roles, ","), " ", listener.address, "\n");
  }
  return lines;
}

// Reads the configuration again; a bad one changes nothing, and stands as a condition.
void Reload(const DaemonLife& life, const std::string& file, RunningDaemon& daemon, Log& log) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  const absl::StatusOr<ConfigDifference> difference =
      text.ok() ? life.reload_config(*text, file) : text.status();
  absl::Status problem = difference.status();
  if (problem.ok() && !difference->reloadable.empty()) {
    log.SetLevel(ParseLogLevel(life.node().log_level()).value_or(LogLevel::kInfo));
    problem = daemon.Reload(life.node(), difference->reloadable);
  }
  if (!problem.ok()) {
    log.Error("configuration_refused", {{"why", problem.message()}});
  } else {
    const std::string fixed = absl::StrJoin(difference->fixed, ", ");
    if (!fixed.empty()) {
      problem = absl::FailedPreconditionError(
          absl::StrCat(file, " changes ", fixed, ", which only a restart takes over"));
    }
    log.Info("configuration_read",
             {{"taken", absl::StrJoin(difference->reloadable, ", ")}, {"needs_restart", fixed}});
  }
  daemon.SetConfigProblem(problem);
}

// Waits for a signal to stop, and reloads at each SIGHUP before it.
int WaitForStop(const DaemonLife& life, const std::string& file, RunningDaemon& daemon,
                Supervision& supervision, Log& log) {
  const sigset_t signals = StopSignals();
  while (true) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGHUP) return signal;
    supervision.TellReloading();
    Reload(life, file, daemon, log);
    supervision.TellReady();
  }
}

int Serve(const DaemonLife& life, const std::string& config_file, Log& log) {
  sigset_t signals = StopSignals();
  sigset_t blocked = signals;
  sigaddset(&blocked, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const std::string addresses_file = life.node().addresses_file();
  if (!addresses_file.empty()) unlink(addresses_file.c_str());
  absl::StatusOr<std::unique_ptr<RunningDaemon>> started = life.start(log);
  if (!started.ok()) return Fail(life, ExitCodeOf(started.status()), started.status());
  std::unique_ptr<RunningDaemon> daemon = *std::move(started);
  const std::vector<ListeningAddress> addresses = daemon->Addresses();
  if (!addresses_file.empty()) {
    const absl::Status written = WriteWhole(addresses_file, AddressLines(addresses));
    if (!written.ok()) return Fail(life, ExitCode::kFailure, written);
  }
  log.Info("daemon_started", {{"name", life.node().name()},
                              {"release", Release()},
                              {"state_dir", life.node().state_dir()},
                              {"pid", getpid()}});
  for (const ListeningAddress& listener : addresses) {
    log.Info("listener_opened",
             {{"address", listener.address}, {"roles", absl::StrJoin(listener.roles, ",")}});
  }

  Supervision supervision([&daemon] { return daemon->Probe(); }, log);
  supervision.TellReady();
  const int signal = WaitForStop(life, config_file, *daemon, supervision, log);
  const absl::Duration drain = absl::Seconds(life.node().drain_timeout().seconds()) +
                               absl::Nanoseconds(life.node().drain_timeout().nanos());
  log.Info("daemon_stopping", {{"signal", strsignal(signal)}, {"drain_seconds", drain}});
  supervision.TellStopping(drain + kCloseTimeMax);
  supervision.StopProbing();
  {
    StopWatchdog watchdog(drain + kCloseTimeMax, log);
    daemon->Drain(absl::Now() + drain);
    daemon.reset();
  }
  if (!addresses_file.empty()) unlink(addresses_file.c_str());
  log.Info("daemon_stopped");
  return static_cast<int>(ExitCode::kOk);
}

int Report(const DaemonLife& life, const absl::StatusOr<std::string>& done) {
  if (!done.ok()) return Fail(life, ExitCodeOf(done.status()), done.status());
  std::cout << *done << "\n";
  return static_cast<int>(ExitCode::kOk);
}

// What lies in `dir` is the node that is asked for, or a reason to leave it alone.
int KeepNode(const DaemonLife& life, const std::string& dir, const std::optional<Uuid>& wanted) {
  const absl::StatusOr<Uuid> there = life.node_in();
  if (!there.ok()) {
    return Fail(
        life, ExitCode::kStateDirectory,
        absl::FailedPreconditionError(absl::StrCat(
            "state directory ", dir, " is not empty, and holds no node: ", there.status().message(),
            "; when an init was broken off there, empty it and try again")));
  }
  if (wanted.has_value() && *there != *wanted) {
    return Fail(life, ExitCode::kStateDirectory,
                MakeError(v1::REASON_STORE_IDENTITY,
                          absl::StrCat("state directory ", dir, " holds node ", there->ToString(),
                                       ", and not ", wanted->ToString())));
  }
  return Report(life, absl::StrCat("node ", there->ToString(), " is in ", dir, " already"));
}

int Init(const DaemonLife& life, const DaemonFlags& flags, Log& log) {
  const std::string& dir = life.node().state_dir();
  if (IsInUse(dir)) {
    if (flags.if_absent) return KeepNode(life, dir, flags.node_id);
    return Fail(life, ExitCode::kStateDirectory,
                absl::FailedPreconditionError(absl::StrCat(
                    "state directory ", dir, " exists already and is not empty; start ", life.name,
                    " to use it, or name another one as node.state_dir")));
  }
  return Report(life, life.init(flags.node_id, log));
}

// What `init` calls taken is an address; here it is the state directory.
int Restore(const DaemonLife& life, const RestoreChoice& choice) {
  const absl::StatusOr<std::string> done = life.restore(choice);
  if (absl::IsAlreadyExists(done.status())) {
    return Fail(life, ExitCode::kStateDirectory,
                Annotate(done.status(), "move it aside to restore"));
  }
  return Report(life, done);
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case v1::REASON_STORE_BEHIND_ANCHOR:
    case v1::REASON_STORE_CORRUPT:
      return ExitCode::kDataLoss;
    case v1::REASON_STORE_IDENTITY:
    case v1::REASON_STORE_LOCKED:
    case v1::REASON_STORE_TOO_NEW:
      return ExitCode::kStateDirectory;
    default:
      break;
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kConfiguration;
    case absl::StatusCode::kNotFound:
      return ExitCode::kStateDirectory;
    case absl::StatusCode::kDataLoss:
      return ExitCode::kDataLoss;
    case absl::StatusCode::kAlreadyExists:
      return ExitCode::kAddressTaken;
    default:
      return ExitCode::kFailure;
  }
}

int RunDaemonLife(int argc, const char* const* argv, const DaemonLife& life) {
  const bool can_promote = life.promote != nullptr;
  const absl::StatusOr<DaemonFlags> flags = ParseDaemonFlags(argc, argv, life.name, can_promote);
  if (!flags.ok()) {
    std::cerr << life.name << ": " << flags.status().message() << "; see " << life.name
              << " --help\n";
    return static_cast<int>(ExitCode::kUsage);
  }
  if (flags->verb == DaemonVerb::kHelp) {
    std::cout << life.name << ": " << life.summary << "\n" << DaemonHelp(life.name, can_promote);
    return static_cast<int>(ExitCode::kOk);
  }
  if (flags->verb == DaemonVerb::kRelease) {
    std::cout << life.name << " " << Release() << "\n";
    return static_cast<int>(ExitCode::kOk);
  }
  const absl::StatusOr<std::string> text = ReadFile(flags->config_file);
  if (!text.ok()) return Fail(life, ExitCode::kConfiguration, text.status());
  const absl::Status config = life.read_config(*text, flags->config_file);
  if (!config.ok()) return Fail(life, ExitCode::kConfiguration, config);
  if (flags->verb == DaemonVerb::kCheckConfig) {
    std::cout << flags->config_file << ": valid\n";
    return static_cast<int>(ExitCode::kOk);
  }
  if (flags->verb == DaemonVerb::kDumpConfig) {
    std::cout << life.dump_config();
    return static_cast<int>(ExitCode::kOk);
  }
  Log log(ParseLogLevel(life.node().log_level()).value_or(LogLevel::kInfo), stderr,
          ParseLogFormat(life.node().log_format()).value_or(LogFormat::kLogfmt));
  switch (flags->verb) {
    case DaemonVerb::kInit:
      return Init(life, *flags, log);
    case DaemonVerb::kRecover:
      return Report(life, life.recover(log));
    case DaemonVerb::kRestore:
      return Restore(life, flags->restore);
    case DaemonVerb::kPromote:
      return Report(life, life.promote());
    default:
      return Serve(life, flags->config_file, log);
  }
}

}  // namespace sluice
