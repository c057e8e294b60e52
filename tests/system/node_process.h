// Node process: one real daemon with a state directory of its own, and the operator's tool at it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/system/child_process.h"

namespace sluice {

// Generous: the machine may be busy with all other tests.
inline constexpr absl::Duration kPatience = absl::Seconds(60);

class NodeProcess {
 public:
  struct Options {
    std::string name;
    // What follows `node:` in the configuration: `sources:` or `upstream:`, in YAML.
    std::string role_yaml;
    bool is_root = false;
    // In front of the daemon's command line, as in {"unshare", "-n"}.
    std::vector<std::string> wrapper;
    // Leave out the TCP listener; the tool then goes to `admin.sock`.
    bool unix_only = false;
    // 0: the kernel chooses.
    int port = 0;
    // More fields of `node:`, in YAML, and one more listener.
    std::string node_yaml;
    std::string listener_yaml;
  };

  // Keeps everything under `directory`/name. Nothing is started yet.
  NodeProcess(const std::string& directory, Options options);

  // Makes the state directory. ADD_FAILUREs when that fails.
  void Init();

  // Runs one of the daemon's verbs on the state directory, as in {"restore"}.
  Finished Offline(const std::vector<std::string>& verb);

  // Starts the daemon and returns when it serves. ADD_FAILUREs when it does not.
  void Start();

  // Starts it, expecting that it ends by itself.
  Finished StartAndEnd();

  // kill -9.
  void Kill();

  // SIGTERM; returns the exit code.
  std::optional<int> Stop(absl::Duration timeout = kPatience);

  // Only while it runs.
  pid_t pid() const { return process_->pid(); }
  const std::string& directory() const { return directory_; }
  std::string state_dir() const { return directory_ + "/state"; }
  std::string content_dir() const { return state_dir() + "/content"; }
  std::string log() const { return ReadFile(directory_ + "/log"); }
  // As the operator's tool takes it.
  std::string address() const { return address_; }
  // Of the listener in `Options::listener_yaml`.
  std::string more_address() const { return more_address_; }
  // Of /metrics, where `Options::node_yaml` asks for it.
  std::string metrics_address() const { return metrics_address_; }
  // Known from `Init` on.
  const std::string& node_id() const { return node_id_; }
  std::string node_socket() const { return "unix:" + directory_ + "/node.sock"; }
  std::string config_file() const { return directory_ + "/config.yaml"; }

  // Takes effect with the next start.
  void set_role_yaml(std::string yaml) { options_.role_yaml = std::move(yaml); }
  // From the next start on it is the root's daemon that runs here, with `role_yaml`.
  void BecomeRoot(std::string role_yaml) {
    options_.is_root = true;
    options_.role_yaml = std::move(role_yaml);
  }
  void set_port(int port) { options_.port = port; }
  void set_node_yaml(std::string yaml) { options_.node_yaml = std::move(yaml); }

  // Runs `sluice --address <this node> ARGS`.
  Finished Cli(const std::vector<std::string>& args, absl::Duration timeout = kPatience) const;

  // The same with `-o json`, read into a message. ADD_FAILUREs when the command fails.
  template <typename Message>
  Message Get(const std::vector<std::string>& args) const {
    Message message;
    const Finished finished = Cli(WithJson(args));
    EXPECT_EQ(finished.exit_code, 0) << options_.name << ": " << args[0] << ": " << finished.err;
    const auto status = google::protobuf::util::JsonStringToMessage(finished.out, &message);
    EXPECT_TRUE(status.ok()) << status.message().as_string() << " in " << finished.out;
    return message;
  }

  // Calls an RPC in raw mode, as grpcurl would. ADD_FAILUREs when it fails.
  template <typename Message>
  Message Call(const std::string& method, const std::string& json = "{}") const {
    Message message;
    const Finished finished = RawCall(method, json);
    EXPECT_EQ(finished.exit_code, 0) << options_.name << ": " << method << ": " << finished.err;
    const auto status = google::protobuf::util::JsonStringToMessage(finished.out, &message);
    EXPECT_TRUE(status.ok()) << status.message().as_string() << " in " << finished.out;
    return message;
  }
  Finished RawCall(const std::string& method, const std::string& json) const;

  // A line for each change of a session at this node, while the result lives.
  std::unique_ptr<LineReader> WatchSync() const;

 private:
  static std::vector<std::string> WithJson(std::vector<std::string> args);
  std::string Config() const;
  std::vector<std::string> Command(const std::vector<std::string>& args) const;
  void WaitUntilServing();

  const std::string directory_;
  Options options_;
  std::string address_;
  std::string more_address_;
  std::string metrics_address_;
  std::string node_id_;
  std::unique_ptr<ChildProcess> process_;
};

// A built program, as in "sluice".
std::string Program(const std::string& name);

}  // namespace sluice
