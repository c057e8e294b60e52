// The units, by systemd's own tools: they are understood, and leave a daemon little to break.
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

struct Ran {
  int exit_code = -1;
  std::string output;
};

Ran RunShell(const std::string& command) {
  Ran ran;
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> part{};
  while (pipe != nullptr && std::fgets(part.data(), part.size(), pipe) != nullptr) {
    ran.output += part.data();
  }
  const int status = pipe == nullptr ? -1 : pclose(pipe);
  ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

std::string Unit(const std::string& name) {
  return absl::StrCat(SLUICE_SOURCE_DIR, "/deploy/systemd/", name);
}

class UnitsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(UnitsTest, LeavesLittleExposed) {
  const Ran ran = RunShell(absl::StrCat(
      "systemd-analyze security --no-pager --offline=true --threshold=20 ", Unit(GetParam())));
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_TRUE(absl::StrContains(ran.output, "OK")) << ran.output;
}

// systemd looks for the program and the user, so both are there for it: a root directory of its
// own.
TEST_P(UnitsTest, IsUnderstood) {
  const TemporaryDirectory root;
  std::filesystem::create_directories(root.path() + "/usr/sbin");
  std::filesystem::create_directories(root.path() + "/bin");
  std::filesystem::create_directories(root.path() + "/etc");
  const std::string name = GetParam();
  const std::string program = name.substr(0, name.rfind('.'));
  for (const std::string& path : {"/usr/sbin/" + program, std::string("/bin/kill")}) {
    std::ofstream(root.path() + path) << "#!/bin/sh\n";
    std::filesystem::permissions(root.path() + path, std::filesystem::perms::owner_all);
  }
  std::ofstream(root.path() + "/etc/passwd") << "sluice:x:999:999::/:/bin/false\n";
  std::ofstream(root.path() + "/etc/group") << "sluice:x:999:\n";
  const std::string units = root.path() + "/usr/lib/systemd/system";
  std::filesystem::create_directories(units);
  std::filesystem::copy(Unit(name), units + "/" + name);
  for (const char* target : {"multi-user.target", "network-online.target", "sysinit.target",
                             "basic.target", "shutdown.target", "tmp.mount"}) {
    std::ofstream(units + "/" + target) << "[Unit]\nDescription=A target\n";
  }
  const Ran ran = RunShell(absl::StrCat(
      "systemd-analyze verify --man=no --recursive-errors=no --root=", root.path(), " ", name));
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_FALSE(absl::StrContains(ran.output, name + ":")) << ran.output;
}

INSTANTIATE_TEST_SUITE_P(Daemons, UnitsTest,
                         ::testing::Values("sluice-upstreamd.service",
                                           "sluice-downstreamd.service"));

TEST(SysusersTest, MakesTheUserOfTheUnits) {
  const TemporaryDirectory root;
  std::filesystem::create_directories(root.path() + "/etc");
  const Ran ran =
      RunShell(absl::StrCat("systemd-sysusers --root=", root.path(), " ", Unit("sluice.sysusers")));
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  std::stringstream passwd;
  passwd << std::ifstream(root.path() + "/etc/passwd").rdbuf();
  EXPECT_TRUE(absl::StrContains(passwd.str(), "sluice:x:")) << passwd.str();
}

}  // namespace
}  // namespace sluice
