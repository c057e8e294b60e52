#include "tests/deploy/containers.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

namespace sluice {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr char kContained[] = SLUICE_SOURCE_DIR "/tests/deploy/contained";

// A command that must succeed, its words separated by spaces.
void Do(const std::string& command) {
  const Finished finished = RunCommand(absl::StrSplit(command, ' '), kPatience);
  EXPECT_EQ(finished.exit_code, 0) << command << ": " << finished.err;
}

}  // namespace

std::string Containers::WhyNot() {
  if (geteuid() != 0) return "only root can change its root directory and become another user";
  if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return "unshare is not permitted here";
  if (mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0) return "mount is not permitted here";
  // `ip netns` keeps names there; nobody else shall see them.
  std::filesystem::create_directories("/run/netns");
  if (mount("tmpfs", "/run/netns", "tmpfs", 0, nullptr) != 0) return "tmpfs is not permitted here";
  return "";
}

Containers::Containers() {
  const Finished assembled = RunCommand(
      {SLUICE_SOURCE_DIR "/deploy/container/assemble", SLUICE_BIN_DIR, tree_}, absl::Seconds(300));
  EXPECT_EQ(assembled.exit_code, 0) << assembled.err;
  // User 65532 must get to it.
  std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
  WriteFile(hosts_, "127.0.0.1 localhost\n");
}

std::string Containers::Volume(const std::string& name, const std::string& path) {
  const std::string folder = absl::StrCat(directory_.path(), "/volumes/", name);
  if (!std::filesystem::create_directories(folder)) return folder;
  struct stat info {};
  if (stat((tree_ + path).c_str(), &info) == 0) {
    EXPECT_EQ(chown(folder.c_str(), info.st_uid, info.st_gid), 0);
    EXPECT_EQ(chmod(folder.c_str(), info.st_mode & 07777), 0);
  }
  return folder;
}

void Containers::MakeNetworks(const Container& container) {
  if (running_.count(container.name) != 0) return;
  Do("ip netns add " + container.name);
  Do(absl::StrCat("ip -n ", container.name, " link set lo up"));
  for (const std::string& network : container.networks) {
    const auto [known, is_new] =
        known_networks_.emplace(network, absl::StrCat("bridge", known_networks_.size()));
    if (is_new) {
      Do(absl::StrCat("ip link add ", known->second, " type bridge"));
      Do(absl::StrCat("ip link set ", known->second, " up"));
    }
    const std::string number = absl::StrCat(++interfaces_);
    const std::string address =
        absl::StrCat("10.65.", known->second.substr(known->second.size() - 1), ".", number);
    Do(absl::StrCat("ip link add host", number, " type veth peer name in", number, " netns ",
                    container.name));
    Do(absl::StrCat("ip link set host", number, " master ", known->second, " up"));
    Do(absl::StrCat("ip -n ", container.name, " addr add ", address, "/24 dev in", number));
    Do(absl::StrCat("ip -n ", container.name, " link set in", number, " up"));
    WriteFile(hosts_, absl::StrCat(ReadFile(hosts_), address, " ", container.name, "\n"));
  }
}

std::vector<std::string> Containers::CommandOf(const Container& container) const {
  std::vector<std::string> words = {"ip", "netns", "exec", container.name, kContained, tree_};
  words.insert(words.end(), container.mounts.begin(), container.mounts.end());
  words.insert(words.end(), {"--bind", absl::StrCat(hosts_, ":/etc/hosts:ro"), "--"});
  words.insert(words.end(), container.command.begin(), container.command.end());
  return words;
}

Finished Containers::Run(const Container& container) {
  MakeNetworks(container);
  const Finished finished = RunCommand(CommandOf(container), kPatience);
  Do("ip netns delete " + container.name);
  return finished;
}

void Containers::Start(const Container& container) {
  MakeNetworks(container);
  const std::string file = absl::StrCat(directory_.path(), "/", container.name, ".log");
  auto process = ChildProcess::Start(CommandOf(container), {file, file});
  ASSERT_TRUE(process.ok()) << process.status();
  running_[container.name] = *std::move(process);
}

Finished Containers::Exec(const std::string& name, const std::vector<std::string>& command) const {
  std::vector<std::string> words = {"nsenter",
                                    absl::StrCat("--target=", running_.at(name)->pid()),
                                    "--mount",
                                    "--net",
                                    "env",
                                    "-i",
                                    "PATH=/usr/sbin:/usr/bin",
                                    "LD_LIBRARY_PATH=/dev/outside",
                                    "chroot",
                                    tree_,
                                    "/dev/outside/setpriv",
                                    "--reuid=65532",
                                    "--regid=65532",
                                    "--clear-groups",
                                    "--no-new-privs",
                                    "--bounding-set=-all"};
  words.insert(words.end(), command.begin(), command.end());
  return RunCommand(words, kPatience);
}

Finished Containers::Beside(const std::string& name, const std::vector<std::string>& command) {
  std::vector<std::string> words = {"ip", "netns", "exec", name};
  words.insert(words.end(), command.begin(), command.end());
  return RunCommand(words, kPatience);
}

std::string Containers::log(const std::string& name) const {
  return ReadFile(absl::StrCat(directory_.path(), "/", name, ".log"));
}

}  // namespace sluice
