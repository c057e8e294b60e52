// Tree fixture: a root, middles and leaves as real processes in a temporary directory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/parity_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "tests/storage/temporary_directory.h"
#include "tests/system/node_process.h"

namespace sluice {

class TreeTest : public ::testing::Test {
 protected:
  // For `more_yaml`: no session by the clock.
  static constexpr char kNeverByClock[] = "  schedule: {times_a_day: 0}\n";

  ~TreeTest() override;

  // A root whose updates are the manifests in `source_dir()`; nothing is imported by itself.
  NodeProcess& AddRoot(const std::string& name);
  // A root with `yaml` as its only source, named "source".
  NodeProcess& AddRootWithSource(const std::string& name, const std::string& yaml);
  // A node that follows `target`. `more_yaml` goes on in `upstream:`.
  NodeProcess& AddFollower(const std::string& name, const std::string& target,
                           const std::string& more_yaml = "");
  // The same, reachable by nobody but through its sockets in the file system, in a network of its
  // own; null when this machine has none to give.
  NodeProcess* AddIsolatedFollower(const std::string& name, const std::string& target);
  static std::string FollowerYaml(const std::string& target, const std::string& more_yaml = "");

  // Adds to the root's folder a manifest "<name>.yaml" with one file of `bytes` bytes. Another
  // `edition` is another content and title.
  void WriteUpdate(const std::string& name, int bytes, int edition = 1);
  void WriteUpdates(const std::string& prefix, int count, int bytes);
  static void Import(const NodeProcess& root);

  std::string source_dir() const { return directory_.path() + "/source"; }
  const std::string& directory() const { return directory_.path(); }

  // Approves all updates of `root` whose title holds `text`.
  static void ApproveAll(const NodeProcess& root, const std::string& text);

  static std::vector<v1::UpdateSummary> Updates(const NodeProcess& node);
  static int UpdateCount(const NodeProcess& node);
  // Updates at `node` all of whose files are present and verified.
  static int ReadyUpdates(const NodeProcess& node);
  static std::vector<v1::Session> Sessions(const NodeProcess& node);
  // Sum of the bytes of records that all sessions of the node moved.
  static int64_t RecordBytes(const NodeProcess& node);
  // How many revisions all sessions of the node moved.
  static int64_t RevisionsMoved(const NodeProcess& node);

  struct Parity {
    int exit_code = -1;
    std::vector<v1::Finding> findings;
    std::vector<v1::NodeParity> nodes;
    v1::CheckSummary summary;

    int Count(v1::FindingClass finding_class) const;
    std::string Text() const;
  };
  static Parity CheckParity(const NodeProcess& node, bool with_content = true);
  // From what `parity check -o json` printed.
  static Parity ReadParity(const Finished& finished);

  // Looks at `condition` now, and again whenever a session of `node` moves, until it holds. Returns
  // false after `patience`.
  static bool Eventually(const NodeProcess& node, const std::function<bool()>& condition,
                         absl::Duration patience = kPatience);

  NodeProcess& Add(NodeProcess::Options options);

 private:
  TemporaryDirectory directory_;
  std::vector<std::unique_ptr<NodeProcess>> nodes_;
};

}  // namespace sluice
