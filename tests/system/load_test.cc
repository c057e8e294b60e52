// A node that is killed while it takes in its first catalog has nothing, and begins anew.
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

constexpr int kRecords = 20'000;
constexpr int kKills = 4;

// Hears of what is made in a directory.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(const std::string& directory) {
    EXPECT_GE(inotify_add_watch(descriptor_, directory.c_str(), IN_CREATE | IN_ISDIR), 0);
  }
  ~DirectoryWatch() { close(descriptor_); }
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // Waits until `name` is made, or was since the watch began.
  bool WaitFor(const std::string& name, absl::Duration patience) {
    const absl::Time deadline = absl::Now() + patience;
    while (absl::Now() < deadline) {
      pollfd events = {descriptor_, POLLIN, 0};
      const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
      if (poll(&events, 1, static_cast<int>(left)) <= 0) continue;
      alignas(inotify_event) std::array<char, 4096> buffer{};
      const ssize_t got = read(descriptor_, buffer.data(), buffer.size());
      for (ssize_t at = 0; at < got;) {
        const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        if (event->len > 0 && name == event->name) return true;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
    return false;
  }

 private:
  const int descriptor_ = inotify_init1(IN_CLOEXEC);
};

class LoadTest : public TreeTest {
 protected:
  LoadTest() {
    root_.Start();
    Import(root_);
  }

  static bool LoadedInOnePiece(const NodeProcess& node) {
    for (const v1::Session& session : Sessions(node)) {
      if (session.outcome() == v1::SYNC_OUTCOME_SUCCEEDED &&
          absl::StrContains(session.summary(), "in one piece")) {
        return session.counts().revisions() == kRecords;
      }
    }
    return false;
  }

  NodeProcess& root_ = AddRootWithSource(
      "hq", absl::StrCat("    synthetic: {shape: packages, seed: 1, revisions: ", kRecords, "}\n"));
};

TEST_F(LoadTest, ANodeKilledInTheMiddleBeginsAnew) {
  int in_the_middle = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    NodeProcess& node = AddFollower(absl::StrCat("site", kill), root_.node_socket());
    const std::string store = node.state_dir() + "/db";
    {
      DirectoryWatch watch(store);
      node.Start();
      ASSERT_TRUE(watch.WaitFor("ingest", kPatience));
      node.Kill();
    }
    // What it leaves behind says whether it had come to its end.
    in_the_middle += std::filesystem::exists(store + "/ingest") ? 1 : 0;
    node.Start();
    EXPECT_TRUE(Eventually(node, [&] { return LoadedInOnePiece(node); }));
    EXPECT_FALSE(std::filesystem::exists(store + "/ingest"));
    const Parity parity = CheckParity(node, /*with_content=*/false);
    EXPECT_EQ(parity.exit_code, 0) << parity.Text();
    EXPECT_EQ(node.Stop(), 0);
  }
  EXPECT_GE(in_the_middle, 1);
}

TEST_F(LoadTest, NodesBelowALoadedNodeLoadFromIt) {
  NodeProcess& middle = AddFollower("region", root_.node_socket());
  middle.Start();
  ASSERT_TRUE(Eventually(middle, [&] { return LoadedInOnePiece(middle); }));
  NodeProcess& leaf = AddFollower("site", middle.node_socket());
  leaf.Start();
  EXPECT_TRUE(Eventually(leaf, [&] { return LoadedInOnePiece(leaf); }));
  const Parity parity = CheckParity(leaf, /*with_content=*/false);
  EXPECT_EQ(parity.exit_code, 0) << parity.Text();
}

}  // namespace
}  // namespace sluice
