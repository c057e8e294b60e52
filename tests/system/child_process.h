// Child process: a program that a test starts, waits for and, if need be, kills.
//
// Nothing here polls for time to pass: exits are waited for through a descriptor of the process,
// and output through pipes and files.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sluice {

class ChildProcess {
 public:
  // Where the output goes: files, appended to. Empty: /dev/null.
  struct Output {
    std::string out_file;
    std::string err_file;
  };

  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& argv,
                                                             const Output& output);

  // Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Becomes readable when the process has ended.
  int descriptor() const { return descriptor_; }

  void Signal(int signal) const;

  // The exit code, or 128 plus the signal that ended it; nothing when it still runs after
  // `timeout`. May be called again.
  std::optional<int> Wait(absl::Duration timeout);

 private:
  ChildProcess(pid_t pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}

  const pid_t pid_;
  const int descriptor_;
  std::optional<int> exit_code_;
};

// A command that ran to its end.
struct Finished {
  int exit_code = -1;  // -1: it could not be started or was killed after the time allowed.
  std::string out;
  std::string err;
};

Finished RunCommand(const std::vector<std::string>& argv, absl::Duration timeout);

// A program whose output is read line by line while it runs.
class LineReader {
 public:
  explicit LineReader(const std::vector<std::string>& argv);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line; nothing after `timeout` or at the end of the output.
  std::optional<std::string> Next(absl::Duration timeout);

 private:
  std::optional<std::string> TakeLine();

  std::unique_ptr<ChildProcess> process_;
  int pipe_ = -1;
  std::string read_;  // Not taken yet.
};

// What a file holds; empty when it does not exist.
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& text);

}  // namespace sluice
