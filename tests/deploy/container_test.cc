// The container image: what its Dockerfile says, and the file tree that it is made of, run without
// an engine.
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/deploy/containers.h"
#include "tests/deploy/dockerfile.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(60);

TEST(DockerfileTest, IsFoundGoodByALinter) {
  const std::string tool = SLUICE_SOURCE_DIR "/build/tools/node_modules/.bin/dockerfile-utils";
  if (!std::filesystem::exists(tool)) GTEST_SKIP() << "not installed: " << tool;
  const Finished lint =
      RunCommand({tool, "lint", SLUICE_SOURCE_DIR "/deploy/container/Dockerfile"}, kPatience);
  EXPECT_EQ(lint.exit_code, 0) << lint.out << lint.err;
  // That it looks at all.
  const TemporaryDirectory directory;
  WriteFile(directory.path() + "/Dockerfile", "FROM scratch\nUSER\n");
  EXPECT_EQ(RunCommand({tool, "lint", directory.path() + "/Dockerfile"}, kPatience).exit_code, 1);
}

TEST(DockerfileTest, MakesAnImageWithoutRootAndShell) {
  std::multimap<std::string, std::string> stage;
  for (const DockerInstruction& instruction : ReadImageStage()) {
    stage.emplace(instruction.name, instruction.arguments);
  }
  const std::map<std::string, std::string> expected = {
      {"FROM", "scratch"},
      {"USER", "65532:65532"},
      {"STOPSIGNAL", "SIGTERM"},
      {"VOLUME", "[\"/var/lib/sluice/state\", \"/var/lib/sluice/content\"]"}};
  for (const auto& [name, arguments] : expected) {
    ASSERT_EQ(stage.count(name), 1U) << name;
    EXPECT_EQ(stage.find(name)->second, arguments);
  }
  // A list is started as it is; a text would be given to a shell.
  ASSERT_EQ(stage.count("CMD"), 1U);
  EXPECT_EQ(stage.find("CMD")->second.front(), '[');
  EXPECT_EQ(stage.count("RUN"), 0U);
  EXPECT_EQ(stage.count("LABEL"), 1U);
  EXPECT_FALSE(ReadHealthCheck().empty());
}

// What the builder needs is said once, and what it copies is let through.
TEST(DockerfileTest, BuildsFromTheListOfDependencies) {
  std::string all;
  for (const DockerInstruction& instruction : ReadDockerfile()) {
    absl::StrAppend(&all, instruction.name, " ", instruction.arguments, "\n");
  }
  EXPECT_THAT(all, HasSubstr("source deploy/dependencies"));
  EXPECT_THAT(all, HasSubstr("cmake --preset release"));
  EXPECT_THAT(all, HasSubstr("deploy/container/assemble build/release/bin"));
  EXPECT_FALSE(absl::StrContains(all, "apt-get")) << "deploy/dependencies installs";
}

// A folder that CMakeLists.txt adds and .dockerignore keeps out breaks the build of the image only.
TEST(DockerfileTest, IsGivenEveryFolderThatIsBuilt) {
  const std::string let_through = ReadFile(SLUICE_SOURCE_DIR "/.dockerignore");
  EXPECT_THAT(let_through, HasSubstr("\n*\n"));
  std::stringstream lines(ReadFile(SLUICE_SOURCE_DIR "/CMakeLists.txt"));
  int folders = 0;
  for (std::string line; std::getline(lines, line);) {
    absl::string_view folder = line;
    if (!absl::ConsumePrefix(&folder, "add_subdirectory(")) continue;
    folder.remove_suffix(1);
    EXPECT_THAT(let_through, HasSubstr(absl::StrCat("\n!", folder, "\n")));
    ++folders;
  }
  EXPECT_GE(folders, 6);
}

class ImageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Containers::WhyNot(); !why.empty()) GTEST_SKIP() << why;
    containers_ = std::make_unique<Containers>();
  }

  // A root with volumes of its own; `more` is added to its configuration.
  Container Root(const std::string& more) {
    const std::string config = containers_->Volume("config", "");
    WriteFile(config + "/sluice-upstreamd.yaml",
              absl::StrCat("node:\n  name: hq\n  state_dir: /var/lib/sluice/state\n"
                           "  content_dir: /var/lib/sluice/content\n  listeners:\n"
                           "    - {address: \"127.0.0.1:8530\", roles: [administrator]}\n",
                           more));
    Container root = {
        .name = "hq",
        .command = {"sluice-upstreamd"},
        .mounts = {"--bind", config + ":/etc/sluice:ro", "--tmpfs", "/tmp:mode=1777"}};
    for (const std::string name : {"state", "content"}) {
      const std::string path = "/var/lib/sluice/" + name;
      root.mounts.push_back("--bind");
      root.mounts.push_back(absl::StrCat(containers_->Volume(name, path), ":", path));
    }
    return root;
  }
  Finished Init(Container root) {
    root.command = {"sluice-upstreamd", "init", "--if-absent"};
    return containers_->Run(root);
  }
  // Starts it, and calls the very command of HEALTHCHECK until it succeeds.
  void Start(const Container& root) {
    containers_->Start(root);
    Finished health;
    for (const absl::Time until = absl::Now() + kPatience; absl::Now() < until;) {
      health = containers_->Exec(root.name, ReadHealthCheck());
      if (health.exit_code == 0) break;
    }
    ASSERT_EQ(health.exit_code, 0) << health.err << containers_->log(root.name);
    EXPECT_THAT(health.out, HasSubstr("SERVING"));
  }

  std::unique_ptr<Containers> containers_;
};

TEST_F(ImageTest, HasProgramsThatRunAndLittleElse) {
  for (const char* program : {"sluice-upstreamd", "sluice-downstreamd", "sluice"}) {
    const Finished help = containers_->Run({.name = "help", .command = {program, "--help"}});
    EXPECT_EQ(help.exit_code, 0) << help.err;
    EXPECT_THAT(help.out, HasSubstr("Exit codes:"));
  }
  const Finished gpgv = containers_->Run({.name = "gpgv", .command = {"gpgv", "--version"}});
  EXPECT_EQ(gpgv.exit_code, 0) << gpgv.err;
  std::set<std::string> programs;
  for (const char* folder : {"/usr/bin", "/usr/sbin"}) {
    for (const auto& entry : std::filesystem::directory_iterator(containers_->tree() + folder)) {
      programs.insert(entry.path().filename().string());
    }
  }
  EXPECT_EQ(programs,
            (std::set<std::string>{"gpgv", "sluice", "sluice-downstreamd", "sluice-upstreamd"}));
  // For those who look for known weaknesses in images.
  EXPECT_TRUE(std::filesystem::exists(containers_->tree() + "/var/lib/dpkg/status.d/libc6"));
  EXPECT_TRUE(std::filesystem::exists(containers_->tree() + "/usr/share/doc/libssl3/copyright"));
}

TEST_F(ImageTest, LetsNothingBeWrittenOutsideOfVolumes) {
  const std::string tool = "/usr/bin/sluice";
  for (const char* folder : {"/etc/x", "/usr/x", "/tmp/x", "/var/lib/sluice/authority"}) {
    const Finished written = containers_->Run({.name = "step",
                                               .command = {tool, "certificate", "init-authority",
                                                           folder, "--trust-domain", "a.example"}});
    EXPECT_EQ(written.exit_code, 1) << folder << ": " << written.out;
  }
  const std::string volume =
      containers_->Volume("authority", "/var/lib/sluice/authority") + ":/var/lib/sluice/authority";
  const Finished written =
      containers_->Run({.name = "step",
                        .command = {tool, "certificate", "init-authority",
                                    "/var/lib/sluice/authority", "--trust-domain", "a.example"},
                        .mounts = {"--bind", volume}});
  EXPECT_EQ(written.exit_code, 0) << written.err;
}

TEST_F(ImageTest, ServesWithoutAnyPrivilegeAndStops) {
  const Container hq = Root("");
  const Finished made = Init(hq);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("made node "));
  const Finished again = Init(hq);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("is in /var/lib/sluice/state already"));
  ASSERT_NO_FATAL_FAILURE(Start(hq));
  ChildProcess& daemon = containers_->process("hq");
  const std::string proc = absl::StrCat("/proc/", daemon.pid());
  const std::string status = ReadFile(proc + "/status");
  EXPECT_THAT(status, HasSubstr("Uid:\t65532\t65532\t65532\t65532"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("CapBnd:\t0000000000000000"));
  daemon.Signal(SIGTERM);
  EXPECT_EQ(daemon.Wait(kPatience), 0) << containers_->log("hq");
  EXPECT_THAT(containers_->log("hq"), HasSubstr("daemon_stopped"));
}

// gpgv, its libraries and the decompression are there, and work on a read-only root.
TEST_F(ImageTest, ImportsASignedRepository) {
  const std::string repository = containers_->Volume("repository", "");
  const Finished sample =
      RunCommand({SLUICE_SOURCE_DIR "/deploy/sample_repository", repository}, kPatience);
  ASSERT_EQ(sample.exit_code, 0) << sample.err;
  Container hq = Root(
      "sources:\n  - name: sample\n    import_at_start: false\n    debian:\n"
      "      uri: file:///srv/repository\n      suite: sample-security\n"
      "      signed_by: /srv/repository/key.asc\n");
  hq.mounts.insert(hq.mounts.end(), {"--bind", repository + ":/srv/repository:ro"});
  ASSERT_EQ(Init(hq).exit_code, 0);
  ASSERT_NO_FATAL_FAILURE(Start(hq));
  const Finished sync = containers_->Exec("hq", {"sluice", "sync", "start", "--wait"});
  EXPECT_EQ(sync.exit_code, 0) << sync.out << sync.err << containers_->log("hq");
  const Finished updates = containers_->Exec("hq", {"sluice", "-o", "name", "update", "list"});
  EXPECT_FALSE(updates.out.empty()) << updates.err;
}

}  // namespace
}  // namespace sluice
