#include "tests/system/tree_fixture.h"

#include <unistd.h>

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sluice {
namespace {

// Bytes that differ by seed and do not compress.
std::string Noise(int bytes, uint64_t seed) {
  std::string noise;
  noise.reserve(static_cast<size_t>(bytes));
  uint64_t state = seed * 2862933555777941757u + 3037000493u;
  for (int i = 0; i < bytes; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    noise += static_cast<char>(state >> 56);
  }
  return noise;
}

// A description as long as real ones, different for each name.
std::string LongText(const std::string& name) {
  std::string text;
  for (int i = 0; i < 130; ++i) absl::StrAppend(&text, name, " mends fault ", i * i, " of many. ");
  return text;
}

// How to give a process a network of its own here; empty when there is no way.
std::vector<std::string> NetworkWrapper() {
  const std::vector<std::string> wrapper = {"unshare", geteuid() == 0 ? "-n" : "-rn"};
  std::vector<std::string> probe = wrapper;
  probe.push_back("true");
  return RunCommand(probe, kPatience).exit_code == 0 ? wrapper : std::vector<std::string>();
}

}  // namespace

TreeTest::~TreeTest() {
  if (!HasFailure()) return;
  for (const auto& node : nodes_) {
    const std::string log = node->log();
    constexpr size_t kShownBytes = 6000;
    std::cerr << "--- end of the log of " << node->directory() << "\n"
              << log.substr(log.size() > kShownBytes ? log.size() - kShownBytes : 0) << "\n";
  }
}

NodeProcess& TreeTest::Add(NodeProcess::Options options) {
  nodes_.push_back(std::make_unique<NodeProcess>(directory_.path(), std::move(options)));
  nodes_.back()->Init();
  return *nodes_.back();
}

NodeProcess& TreeTest::AddRootWithSource(const std::string& name, const std::string& yaml) {
  return Add({.name = name,
              .role_yaml = absl::StrCat("sources:\n  - name: source\n    import_at_start: false\n"
                                        "    schedule: {times_a_day: 0}\n",
                                        yaml),
              .is_root = true});
}

NodeProcess& TreeTest::AddRoot(const std::string& name) {
  std::filesystem::create_directories(source_dir());
  return AddRootWithSource(name, absl::StrCat("    directory: {path: ", source_dir(), "}\n"));
}

std::string TreeTest::FollowerYaml(const std::string& target, const std::string& more_yaml) {
  return absl::StrCat("upstream:\n  target: ", target, "\n", more_yaml);
}

NodeProcess& TreeTest::AddFollower(const std::string& name, const std::string& target,
                                   const std::string& more_yaml) {
  return Add({.name = name, .role_yaml = FollowerYaml(target, more_yaml)});
}

NodeProcess* TreeTest::AddIsolatedFollower(const std::string& name, const std::string& target) {
  const std::vector<std::string> wrapper = NetworkWrapper();
  if (wrapper.empty()) return nullptr;
  return &Add(
      {.name = name, .role_yaml = FollowerYaml(target), .wrapper = wrapper, .unix_only = true});
}

void TreeTest::WriteUpdate(const std::string& name, int bytes, int edition) {
  const std::string file = absl::StrCat(name, "_", edition, ".bin");
  WriteFile(absl::StrCat(source_dir(), "/", file),
            Noise(bytes, std::hash<std::string>()(name) + static_cast<uint64_t>(edition)));
  WriteFile(
      absl::StrCat(source_dir(), "/", name, ".yaml"),
      absl::StrCat("name: ", name, "\ntexts:\n  - language: en\n    title: ", name, " edition ",
                   edition, "\n    description: ", LongText(name), "\nproducts: [Contoso/Agent]\n",
                   "classification: Security Updates\nfiles:\n  - path: ", file, "\n"));
}

void TreeTest::WriteUpdates(const std::string& prefix, int count, int bytes) {
  for (int i = 0; i < count; ++i) WriteUpdate(absl::StrCat(prefix, "-", i), bytes);
}

void TreeTest::Import(const NodeProcess& root) {
  const Finished finished = root.Cli({"sync", "start", "--wait"});
  EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
}

void TreeTest::ApproveAll(const NodeProcess& root, const std::string& text) {
  const Finished finished = root.Cli({"approve", "--all-matching", text, "--yes"});
  EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
}

std::vector<v1::UpdateSummary> TreeTest::Updates(const NodeProcess& node) {
  const auto response = node.Get<v1::ListUpdatesResponse>({"update", "list"});
  return {response.updates().begin(), response.updates().end()};
}

int TreeTest::UpdateCount(const NodeProcess& node) {
  return static_cast<int>(Updates(node).size());
}

int TreeTest::ReadyUpdates(const NodeProcess& node) {
  int ready = 0;
  for (const v1::UpdateSummary& update : Updates(node)) {
    if (update.content() == v1::CONTENT_STATE_READY) ++ready;
  }
  return ready;
}

std::vector<v1::Session> TreeTest::Sessions(const NodeProcess& node) {
  const auto response = node.Get<v1::ListSessionsResponse>({"sync", "list", "--limit", "1000"});
  return {response.sessions().begin(), response.sessions().end()};
}

int64_t TreeTest::RecordBytes(const NodeProcess& node) {
  int64_t bytes = 0;
  for (const v1::Session& session : Sessions(node)) bytes += session.counts().record_bytes();
  return bytes;
}

int64_t TreeTest::RevisionsMoved(const NodeProcess& node) {
  int64_t revisions = 0;
  for (const v1::Session& session : Sessions(node)) revisions += session.counts().revisions();
  return revisions;
}

int TreeTest::Parity::Count(v1::FindingClass finding_class) const {
  int count = 0;
  for (const v1::Finding& finding : findings) count += finding.finding_class() == finding_class;
  return count;
}

std::string TreeTest::Parity::Text() const {
  std::string text = absl::StrCat("exit code ", exit_code, "\n");
  for (const v1::Finding& finding : findings) {
    absl::StrAppend(&text, finding.ShortDebugString(), "\n");
  }
  for (const v1::NodeParity& node : nodes) absl::StrAppend(&text, node.ShortDebugString(), "\n");
  return text + summary.ShortDebugString();
}

TreeTest::Parity TreeTest::CheckParity(const NodeProcess& node, bool with_content) {
  std::vector<std::string> args = {"parity", "check", "-o", "json"};
  if (with_content) args.push_back("--content");
  return ReadParity(node.Cli(args));
}

TreeTest::Parity TreeTest::ReadParity(const Finished& finished) {
  Parity parity;
  parity.exit_code = finished.exit_code;
  for (const absl::string_view line : absl::StrSplit(finished.out, '\n', absl::SkipEmpty())) {
    v1::CheckResponse response;
    const auto status = google::protobuf::util::JsonStringToMessage(std::string(line), &response);
    EXPECT_TRUE(status.ok()) << status.message().as_string() << " in " << line;
    if (response.has_finding()) parity.findings.push_back(response.finding());
    if (response.has_node()) parity.nodes.push_back(response.node());
    if (response.has_summary()) parity.summary = response.summary();
  }
  return parity;
}

bool TreeTest::Eventually(const NodeProcess& node, const std::function<bool()>& condition,
                          absl::Duration patience) {
  // What happens is heard of through the session watch; that it is heard is not taken for granted.
  constexpr absl::Duration kLookAgainAfter = absl::Milliseconds(300);
  const absl::Time deadline = absl::Now() + patience;
  const std::unique_ptr<LineReader> events = node.WatchSync();
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    events->Next(kLookAgainAfter);
  }
  return true;
}

}  // namespace sluice
