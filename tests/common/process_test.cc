#include "common/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config_reload.h"
#include "common/errors.h"
#include "common/supervision.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FakeDaemon : public RunningDaemon {
 public:
  explicit FakeDaemon(bool hangs) : hangs_(hangs) {}
  std::vector<ListeningAddress> Addresses() const override {
    return {{{"viewer", "node"}, "127.0.0.1:4711"}, {{"administrator"}, "unix:/a.sock"}};
  }
  absl::Status Probe() override { return absl::OkStatus(); }
  absl::Status Reload(const config::v1::Node&, const std::vector<std::string>&) override {
    return absl::OkStatus();
  }
  void SetConfigProblem(const absl::Status& /*problem*/) override {}
  void Drain(absl::Time /*deadline*/) override {
    while (hangs_) pause();
  }

 private:
  const bool hangs_;
};

// Runs a fake daemon in a directory of its own. What it serves is run in a child process, because
// it waits for signals.
class RunDaemonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/process_test_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    spec_.name = "sluice-testd";
    spec_.summary = "serves nothing";
    spec_.init = [](const auto& config, const std::optional<Uuid>& node_id, Log&) {
      return absl::StatusOr<std::string>(absl::StrCat("made ", node_id.value_or(Uuid()).ToString(),
                                                      " in ", config.node().state_dir()));
    };
    spec_.node_in = [this](const auto&) { return node_in_; };
    spec_.recover = [](const auto&, Log&) { return absl::StatusOr<std::string>("recovered"); };
    spec_.start = [this](const auto&, Log&) { return Start(); };
    WriteConfig("");
  }
  void TearDown() override { std::system(("rm -rf '" + dir_ + "'").c_str()); }

  absl::StatusOr<std::unique_ptr<RunningDaemon>> Start() {
    if (!start_status_.ok()) return start_status_;
    return std::make_unique<FakeDaemon>(hangs_);
  }

  void WriteConfig(absl::string_view more) {
    std::ofstream(config_file())
        << "node:\n  name: test\n  state_dir: " << dir_
        << "/state\n  addresses_file: " << addresses_file()
        << "\n  drain_timeout: 1s\n  listeners:\n  - address: 127.0.0.1:0\n"
        << more;
  }

  int Run(std::vector<const char*> args, bool with_config = true) {
    args.insert(args.begin(), "sluice-testd");
    const std::string file = config_file();
    if (with_config) {
      args.push_back("--config");
      args.push_back(file.c_str());
    }
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = RunDaemon(static_cast<int>(args.size()), args.data(), spec_);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  // Starts serving in a child and returns its process id once the addresses file is there.
  pid_t Serve() {
    const pid_t child = fork();
    if (child == 0) {
      const std::string file = config_file();
      const char* args[] = {"sluice-testd", "--config", file.c_str()};
      _exit(RunDaemon(3, args, spec_));
    }
    struct stat unused;
    while (stat(addresses_file().c_str(), &unused) != 0) std::this_thread::yield();
    return child;
  }
  static int ExitCodeOfChild(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string config_file() const { return dir_ + "/sluice.yaml"; }
  std::string addresses_file() const { return dir_ + "/addresses"; }

  std::string dir_;
  std::string out_;
  std::string err_;
  bool hangs_ = false;
  absl::Status start_status_;
  absl::StatusOr<Uuid> node_in_ = absl::NotFoundError("no node.id");
  DaemonSpec<config::v1::UpstreamDaemon> spec_;
};

TEST_F(RunDaemonTest, HelpDocumentsTheExitCodes) {
  EXPECT_EQ(Run({"--help"}, /*with_config=*/false), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("sluice-testd: serves nothing"), HasSubstr("Exit codes:"),
                          HasSubstr("/etc/sluice/sluice-testd.yaml")));
  EXPECT_EQ(Run({"--version"}, /*with_config=*/false), 0);
  EXPECT_EQ(out_.find("sluice-testd "), 0);
}

TEST_F(RunDaemonTest, RefusesUnknownArguments) {
  EXPECT_EQ(Run({"--verbose"}), 2);
  EXPECT_THAT(err_, HasSubstr("unknown argument \"--verbose\"; see sluice-testd --help"));
  EXPECT_EQ(Run({"init", "recover"}), 2);
  EXPECT_THAT(err_, HasSubstr("\"recover\" is one verb too many"));
  EXPECT_EQ(Run({"--config"}, /*with_config=*/false), 2);
}

TEST_F(RunDaemonTest, ChecksTheConfiguration) {
  EXPECT_EQ(Run({"--check-config"}), 0);
  EXPECT_EQ(out_, config_file() + ": valid\n");
  WriteConfig("sources:\n- name: a\n  sign: b\n");
  EXPECT_EQ(Run({"--check-config"}), 3);
  EXPECT_THAT(err_, HasSubstr("sluice.yaml:10: sources[0].sign: unknown field"));
  WriteConfig("sources: [{name: a}]\n");
  EXPECT_EQ(Run({"--check-config"}), 3);
  EXPECT_THAT(err_, HasSubstr("sluice.yaml: sources[0]: needs exactly one of"));
}

TEST_F(RunDaemonTest, NamesAConfigurationThatCannotBeRead) {
  EXPECT_EQ(Run({"--config", "/nowhere/x.yaml"}, /*with_config=*/false), 3);
  EXPECT_THAT(err_, HasSubstr("cannot read /nowhere/x.yaml: No such file or directory"));
  EXPECT_EQ(Run({"--config", dir_.c_str()}, /*with_config=*/false), 3);
  EXPECT_THAT(err_, HasSubstr("cannot read " + dir_));
}

TEST_F(RunDaemonTest, InitMakesTheStateDirectoryAndRefusesOneInUse) {
  EXPECT_EQ(Run({"init"}), 0);
  EXPECT_THAT(out_, HasSubstr(" in " + dir_ + "/state\n"));
  ASSERT_EQ(mkdir((dir_ + "/state").c_str(), 0700), 0);
  EXPECT_EQ(Run({"init"}), 0) << "an empty directory may have been made by an installer";
  std::ofstream(dir_ + "/state/identity") << "x";
  EXPECT_EQ(Run({"init"}), 4);
  EXPECT_THAT(err_, HasSubstr("state directory " + dir_ + "/state exists already"));
}

// What a container runs before each start: nothing in it could look at the exit code.
TEST_F(RunDaemonTest, InitIfAbsentKeepsTheNodeThatIsThere) {
  const std::string id = "7c0e9c3a-6a0e-4c6b-9a38-0d7a6c7f1c11";
  EXPECT_EQ(Run({"init", "--if-absent", "--node-id", id.c_str()}), 0) << err_;
  EXPECT_EQ(out_, "made " + id + " in " + dir_ + "/state\n");

  ASSERT_EQ(mkdir((dir_ + "/state").c_str(), 0700), 0);
  std::ofstream(dir_ + "/state/node.id") << id;
  node_in_ = *Uuid::Parse(id);
  EXPECT_EQ(Run({"init", "--if-absent"}), 0) << err_;
  EXPECT_EQ(out_, "node " + id + " is in " + dir_ + "/state already\n");
  EXPECT_EQ(Run({"init", "--if-absent", ("--node-id=" + id).c_str()}), 0) << err_;
}

TEST_F(RunDaemonTest, InitIfAbsentRefusesAnotherNodeAndOneThatIsHalfMade) {
  ASSERT_EQ(mkdir((dir_ + "/state").c_str(), 0700), 0);
  std::ofstream(dir_ + "/state/lock") << "1";
  EXPECT_EQ(Run({"init", "--if-absent"}), 4);
  EXPECT_THAT(err_, HasSubstr("/state is not empty, and holds no node: no node.id"));
  node_in_ = Uuid::Random();
  EXPECT_EQ(Run({"init", "--if-absent", "--node-id", Uuid::Random().ToString().c_str()}), 4);
  EXPECT_THAT(err_,
              AllOf(HasSubstr("holds node " + node_in_->ToString()), HasSubstr("STORE_IDENTITY")));
}

TEST_F(RunDaemonTest, FlagsOfInitAreCheckedFirst) {
  EXPECT_EQ(Run({"init", "--node-id", "berlin"}), 2);
  EXPECT_THAT(err_, HasSubstr("--node-id: "));
  EXPECT_EQ(Run({"init", "--node-id", Uuid().ToString().c_str()}), 2);
  EXPECT_EQ(Run({"init", "--node-id"}, /*with_config=*/false), 2);
  EXPECT_EQ(Run({"recover", "--if-absent"}), 2);
  EXPECT_THAT(err_, HasSubstr("belong to init"));
}

TEST_F(RunDaemonTest, RecoverSaysWhatItDid) {
  EXPECT_EQ(Run({"recover"}), 0);
  EXPECT_EQ(out_, "recovered\n");
}

TEST_F(RunDaemonTest, FailuresToStartBecomeExitCodesWithCauseAndRemedy) {
  start_status_ = MakeError(v1::REASON_STORE_LOCKED, "/s is in use by process 17");
  EXPECT_EQ(Run({}), 4);
  EXPECT_THAT(err_, AllOf(HasSubstr("/s is in use by process 17"), HasSubstr("STORE_LOCKED"),
                          HasSubstr("cause:"), HasSubstr("remedy:")));
  start_status_ = MakeError(v1::REASON_STORE_BEHIND_ANCHOR, "x");
  EXPECT_EQ(Run({}), 5);
  start_status_ = absl::AlreadyExistsError("127.0.0.1:1 is taken");
  EXPECT_EQ(Run({}), 6);
  start_status_ = absl::NotFoundError("not initialised");
  EXPECT_EQ(Run({}), 4);
  start_status_ = absl::InternalError("x");
  EXPECT_EQ(Run({}), 1);
}

TEST_F(RunDaemonTest, ServesUntilASignalAndRemovesItsAddresses) {
  const pid_t child = Serve();
  std::stringstream addresses;
  addresses << std::ifstream(addresses_file()).rdbuf();
  EXPECT_EQ(addresses.str(), "viewer,node 127.0.0.1:4711\nadministrator unix:/a.sock\n");
  kill(child, SIGTERM);
  EXPECT_EQ(ExitCodeOfChild(child), 0);
  EXPECT_NE(access(addresses_file().c_str(), F_OK), 0);
}

TEST_F(RunDaemonTest, ASecondSignalBreaksOffADrainThatHangs) {
  hangs_ = true;
  const pid_t child = Serve();
  kill(child, SIGTERM);
  kill(child, SIGINT);
  EXPECT_EQ(ExitCodeOfChild(child), 1);
}

TEST_F(RunDaemonTest, DumpsItsConfigurationSoThatItCanBeReadAgain) {
  ASSERT_EQ(Run({"--dump-config"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("\"log_level\": \"info\""), HasSubstr("\"name\": \"test\"")));
  const std::string dumped = out_;
  std::ofstream(config_file()) << dumped;
  ASSERT_EQ(Run({"--dump-config"}), 0) << err_;
  EXPECT_EQ(out_, dumped);
}

// A socket that stands for systemd's.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~NotifySocket() {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(socket_);
  }

  // The next message that holds `text`; what comes before it is passed over.
  std::string WaitFor(absl::string_view text) {
    constexpr int kPatienceMs = 20'000;
    pollfd ready = {socket_, POLLIN, 0};
    while (poll(&ready, 1, kPatienceMs) > 0) {
      char message[1024];
      const ssize_t size = recv(socket_, message, sizeof(message), 0);
      if (size <= 0) break;
      const std::string said(message, static_cast<size_t>(size));
      if (absl::StrContains(said, text)) return said;
    }
    return "";
  }

 private:
  const int socket_;
};

TEST_F(RunDaemonTest, TellsItsSupervisorWhatItDoes) {
  NotifySocket supervisor(dir_ + "/notify");
  setenv("WATCHDOG_USEC", "300000", 1);
  const pid_t child = Serve();
  EXPECT_NE(supervisor.WaitFor("READY=1"), "");
  EXPECT_NE(supervisor.WaitFor("WATCHDOG=1"), "");
  EXPECT_NE(supervisor.WaitFor("WATCHDOG=1"), "");
  kill(child, SIGHUP);
  EXPECT_THAT(supervisor.WaitFor("RELOADING=1"), HasSubstr("MONOTONIC_USEC="));
  EXPECT_NE(supervisor.WaitFor("READY=1"), "");
  kill(child, SIGTERM);
  EXPECT_THAT(supervisor.WaitFor("STOPPING=1"), HasSubstr("EXTEND_TIMEOUT_USEC=11000000"));
  EXPECT_EQ(ExitCodeOfChild(child), 0);
}

TEST(SupervisionTest, GivesNoSignOfLifeWhileTheProbeFails) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/notify", getpid());
  NotifySocket supervisor(path);
  setenv("WATCHDOG_USEC", "30000", 1);
  Log log(LogLevel::kError, std::tmpfile());
  std::atomic<int> probes = 0;
  Supervision supervision(
      [&probes] {
        return ++probes < 5 ? absl::UnavailableError("the disk does not answer") : absl::OkStatus();
      },
      log);
  EXPECT_NE(supervisor.WaitFor("WATCHDOG=1"), "");
  EXPECT_GE(probes, 5);
  unlink(path.c_str());
}

TEST(CompareConfigsTest, TellsWhatARestartIsNeededFor) {
  config::v1::UpstreamDaemon before;
  before.mutable_node()->set_log_level("info");
  config::v1::UpstreamDaemon after = before;
  EXPECT_TRUE(CompareConfigs(before, after).fixed.empty());
  after.mutable_node()->set_log_level("debug");
  after.mutable_node()->add_users()->set_name("ann");
  after.mutable_node()->set_state_dir("/other");
  after.add_sources()->set_name("more");
  const ConfigDifference difference = CompareConfigs(before, after);
  EXPECT_THAT(difference.reloadable, ElementsAre("node.log_level", "node.users"));
  EXPECT_THAT(difference.fixed, ElementsAre("node.state_dir", "sources"));
}

}  // namespace
}  // namespace sluice
