// Histories that went another way, with real daemons: each ends converged, or in a state that names
// its ways out, and only the difference moves.
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/upstream_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HistoriesTest : public TreeTest {
 protected:
  static std::vector<std::string> Conditions(const NodeProcess& node) {
    const auto response = node.Get<v1::ListConditionsResponse>({"condition", "list"});
    std::vector<std::string> reasons;
    for (const v1::Condition& condition : response.conditions()) {
      reasons.push_back(condition.reason());
    }
    return reasons;
  }
  static bool Has(const NodeProcess& node, const std::string& reason) {
    const std::vector<std::string> reasons = Conditions(node);
    return std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
  }
  static int64_t RecordsKept(const NodeProcess& node) {
    return node.Get<v1::ListUpstreamsResponse>({"upstream", "list"}).records_kept();
  }
  static std::string Followed(const NodeProcess& node) {
    const auto list = node.Get<v1::ListUpstreamsResponse>({"upstream", "list"});
    for (const v1::UpstreamStatus& upstream : list.upstreams()) {
      if (upstream.current()) return upstream.target();
    }
    return "";
  }
  static int64_t RecordsMoved(const v1::SyncCounts& counts) {
    return counts.categories() + counts.revisions() + counts.expiries() + counts.policies() +
           counts.groups();
  }
  // Of all sessions with `peer`; with all when it is empty.
  static v1::SyncCounts Counts(const NodeProcess& node, const std::string& peer = "") {
    v1::SyncCounts sum;
    for (const v1::Session& session : Sessions(node)) {
      if (!peer.empty() && session.peer() != peer) continue;
      sum.set_revisions(sum.revisions() + RecordsMoved(session.counts()));
      sum.set_kept(sum.kept() + session.counts().kept());
    }
    return sum;
  }
  static std::string Summaries(const NodeProcess& node) {
    std::string text;
    for (const v1::Session& session : Sessions(node)) {
      absl::StrAppend(&text, session.peer(), ": ", session.summary(), "\n");
    }
    return text;
  }
  static bool InParity(const NodeProcess& node) { return CheckParity(node).exit_code == 0; }
  static std::string LastReason(const NodeProcess& node) {
    const std::vector<v1::Session> sessions = Sessions(node);
    if (sessions.empty() || sessions.front().errors().empty()) return "";
    return sessions.front().errors(0).reason();
  }
};

TEST_F(HistoriesTest, AnUpstreamReinstalledWithASmallerSelectionLosesNothingBelow) {
  WriteUpdates("agent", 12, 1000);
  WriteFile(source_dir() + "/tool.yaml",
            "name: tool\ntexts: [{language: en, title: tool}]\nproducts: [Contoso/Tool]\n"
            "classification: Updates\n");
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  EXPECT_EQ(root.Cli({"decline", "tool"}).exit_code, 0);
  NodeProcess& region = AddFollower("region", root.node_socket());
  region.Start();
  NodeProcess& site = AddFollower("site", region.node_socket());
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 13; }));
  const int64_t moved = RecordsMoved(Counts(site));

  EXPECT_EQ(region.Stop(), 0);
  std::filesystem::remove_all(region.state_dir());
  region.Init();
  region.set_role_yaml(FollowerYaml(root.node_socket()) +
                       "initial_subscription: {products: [Contoso/Agent]}\n");
  region.Start();
  ASSERT_TRUE(Eventually(site, [&] { return Has(site, "HISTORY_DIFFERS"); })) << Summaries(site);
  EXPECT_EQ(UpdateCount(site), 13) << "what the upstream no longer takes is gone";
  EXPECT_GE(RecordsKept(site), 2) << "the update and its decline";
  EXPECT_LE(RecordsMoved(Counts(site)) - moved, 2) << "more than the difference moved";
  EXPECT_THAT(Summaries(site), HasSubstr("compared because of UPSTREAM_CHANGED"));
  const auto declined = site.Cli({"update", "get", "tool"});
  EXPECT_THAT(declined.out, HasSubstr("decline"));

  const int64_t kept = RecordsKept(site);
  const auto preview = site.Get<v1::AdoptUpstreamResponse>({"upstream", "adopt", "--dry-run"});
  EXPECT_EQ(preview.records_removed(), kept);
  EXPECT_EQ(preview.updates_removed(), 1);
  EXPECT_EQ(UpdateCount(site), 13) << "a dry run removed something";
  const Finished adopted = site.Cli({"upstream", "adopt"});
  ASSERT_EQ(adopted.exit_code, 0) << adopted.err;
  EXPECT_EQ(UpdateCount(site), 12);
  EXPECT_EQ(RecordsKept(site), 0);
  EXPECT_TRUE(Eventually(site, [&] { return InParity(site); })) << CheckParity(site).Text();
  EXPECT_THAT(Conditions(site), IsEmpty());
  EXPECT_THAT(site.Cli({"audit", "list"}).out, HasSubstr("adopt upstream"));
}

TEST_F(HistoriesTest, PointedElsewhereItDoesWhatThePreviewSaid) {
  WriteUpdates("agent", 6, 1000);
  NodeProcess& other = AddRoot("other");
  other.Start();
  Import(other);
  EXPECT_EQ(other.Cli({"group", "create", "Pilot"}).exit_code, 0);
  ApproveAll(other, "agent-1");
  WriteUpdates("more", 4, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  EXPECT_EQ(root.Cli({"decline", "more-1 edition 1"}).exit_code, 0);
  NodeProcess& site = AddFollower("site", root.node_socket());
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 10 && InParity(site); }));

  const auto tried =
      site.Get<v1::SetUpstreamsResponse>({"upstream", "set", other.node_socket(), "--dry-run"});
  EXPECT_EQ(Followed(site), root.node_socket()) << "a dry run switched";
  const v1::UpstreamPreview& preview = tried.preview();
  EXPECT_EQ(preview.node_name(), "other");
  EXPECT_GE(preview.records_same(), 6) << preview.DebugString();
  EXPECT_EQ(preview.records_to_fetch(), 2) << "a group and an approval";
  EXPECT_EQ(preview.records_to_keep(), 5) << "four updates and a decline";
  EXPECT_EQ(preview.decisions_to_keep(), 1);

  const Finished set = site.Cli({"upstream", "set", other.node_socket(), "--require-reachable"});
  ASSERT_EQ(set.exit_code, 0) << set.err;
  ASSERT_TRUE(Eventually(site, [&] { return Has(site, "HISTORY_DIFFERS"); })) << Summaries(site);
  ASSERT_TRUE(Eventually(site, [&] { return ReadyUpdates(site) == ReadyUpdates(other); }));
  const v1::SyncCounts counts = Counts(site, other.node_socket());
  EXPECT_EQ(RecordsMoved(counts), preview.records_to_fetch() + preview.records_to_replace());
  EXPECT_EQ(counts.kept(), preview.records_to_keep());
  EXPECT_THAT(Summaries(site), HasSubstr("an operator said so"));
  EXPECT_THAT(site.Cli({"audit", "list"}).out, HasSubstr("set upstreams"));

  EXPECT_EQ(site.Stop(), 0);
  site.Start();
  EXPECT_EQ(Followed(site), other.node_socket()) << "it outlives a restart";
  EXPECT_EQ(site.Cli({"upstream", "set"}).exit_code, 0);
  // Of the other root's, the group and the approval are unknown here.
  EXPECT_TRUE(Eventually(site, [&] {
    return Followed(site) == root.node_socket() && RecordsKept(site) == 2;
  })) << Summaries(site);
  EXPECT_EQ(site.Cli({"upstream", "adopt"}).exit_code, 0);
  EXPECT_TRUE(Eventually(site, [&] { return InParity(site); })) << CheckParity(site).Text();
  const Finished away = site.Cli({"upstream", "set", "127.0.0.1:1", "--require-reachable"});
  EXPECT_NE(away.exit_code, 0);
  EXPECT_THAT(away.err, HasSubstr("127.0.0.1:1"));
  EXPECT_EQ(Followed(site), root.node_socket());
}

TEST_F(HistoriesTest, FailsOverAlongItsListAndReturns) {
  WriteUpdates("agent", 20, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  std::vector<NodeProcess*> regions;
  for (const std::string name : {"first", "second", "third"}) {
    regions.push_back(&AddFollower(name, root.node_socket()));
    regions.back()->Start();
  }
  NodeProcess& site = AddFollower(
      "site", regions[0]->node_socket(),
      absl::StrCat("  schedule: {times_a_day: 0, retry_interval: 2s}\nfallback_upstreams:\n  - "
                   "target: ",
                   regions[1]->node_socket(), "\n  - target: ", regions[2]->node_socket(), "\n"));
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 20 && InParity(site); }));
  const int64_t moved = RecordsMoved(Counts(site));

  regions[0]->Kill();
  ASSERT_TRUE(Eventually(site, [&] { return Followed(site) == regions[1]->node_socket(); }));
  EXPECT_TRUE(Eventually(site, [&] {
    return absl::StrContains(site.Cli({"parity", "show", "-o", "json"}).out, "TRIGGER_FAILOVER");
  })) << "no check after the failover";
  EXPECT_TRUE(Eventually(site, [&] { return InParity(site); }));
  EXPECT_TRUE(Has(site, "FAILED_OVER"));
  EXPECT_THAT(Summaries(site), HasSubstr("cannot be used"));
  regions[1]->Kill();
  ASSERT_TRUE(Eventually(site, [&] { return Followed(site) == regions[2]->node_socket(); }));
  WriteUpdate("news", 1000);
  Import(root);
  EXPECT_EQ(root.Cli({"decline", "agent-7 edition 1"}).exit_code, 0);
  EXPECT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 21 && InParity(site); }));

  regions[0]->Start();
  ASSERT_TRUE(Eventually(site, [&] { return Followed(site) == regions[0]->node_socket(); }))
      << Summaries(site);
  EXPECT_TRUE(Eventually(
      site, [&] { return InParity(site) && Conditions(site).empty() && RecordsKept(site) == 0; }))
      << Summaries(site) << CheckParity(site).Text();
  EXPECT_EQ(UpdateCount(site), 21);
  EXPECT_LE(RecordsMoved(Counts(site)) - moved, 6) << Summaries(site);
  EXPECT_THAT(site.Cli({"update", "get", "agent-7 edition 1"}).out, HasSubstr("decline"));
}

TEST_F(HistoriesTest, ARestoredDownstreamTakesWhatItMissed) {
  WriteUpdates("agent", 15, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& site = AddFollower("site", root.node_socket());
  site.set_node_yaml(absl::StrCat("  backup_dir: ", directory(), "/site-backups\n"));
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 15 && InParity(site); }));
  ASSERT_EQ(site.Cli({"backup", "create"}).exit_code, 0);
  WriteUpdates("later", 3, 1000);
  Import(root);
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 18; }));

  EXPECT_EQ(site.Stop(), 0);
  std::filesystem::remove_all(site.state_dir() + "/db");
  std::filesystem::remove(site.state_dir() + "/node.id");
  const Finished restored = site.Offline({"restore"});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 18 && InParity(site); }));
  const v1::Session last = Sessions(site).front();
  EXPECT_LE(RecordsMoved(last.counts()), 4) << last.DebugString();
  EXPECT_EQ(RecordsKept(site), 0);
}

// Files put back by hand, anchor and all, and overtaken before anybody below came back: nothing
// says that the history is another one.
TEST_F(HistoriesTest, AnUpstreamPutBackFromACopyUndoesNoDecline) {
  WriteUpdates("agent", 8, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  EXPECT_EQ(root.Stop(), 0);
  const std::string copy = root.state_dir() + "-before";
  std::filesystem::copy(root.state_dir(), copy, std::filesystem::copy_options::recursive);
  root.Start();
  EXPECT_EQ(root.Cli({"decline", "agent-3 edition 1"}).exit_code, 0);
  NodeProcess& site = AddFollower("site", root.node_socket());
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 8 && InParity(site); }));
  const int64_t moved = RecordsMoved(Counts(site));
  EXPECT_EQ(site.Stop(), 0);

  EXPECT_EQ(root.Stop(), 0);
  std::filesystem::remove_all(root.state_dir());
  std::filesystem::rename(copy, root.state_dir());
  root.Start();
  for (const std::string group : {"Pilot", "Second", "Third"}) {
    EXPECT_EQ(root.Cli({"group", "create", group}).exit_code, 0);
  }
  ApproveAll(root, "agent-3");
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return Has(site, "HISTORY_DIFFERS"); })) << Summaries(site);
  EXPECT_EQ(RecordsKept(site), 1);
  EXPECT_THAT(site.Cli({"update", "get", "agent-3 edition 1"}).out, HasSubstr("decline"));
  EXPECT_LE(RecordsMoved(Counts(site)) - moved, 4) << "more than the difference moved";
  EXPECT_THAT(Summaries(site), HasSubstr("compared because fingerprints differed"));

  const Finished asked = site.Cli({"parity", "fix", "--return", "-o", "name"});
  ASSERT_EQ(asked.exit_code, 0) << asked.err;
  const std::string petition = asked.out.substr(0, asked.out.find('\n'));
  ASSERT_EQ(root.Cli({"petition", "grant", petition}).exit_code, 0);
  EXPECT_TRUE(Eventually(site, [&] { return RecordsKept(site) == 0 && InParity(site); }))
      << CheckParity(site).Text();
  EXPECT_THAT(root.Cli({"update", "get", "agent-3 edition 1"}).out, HasSubstr("decline"));
}

// The volume of a node in the middle lost what had been written last.
TEST_F(HistoriesTest, AMiddleThatLostWritesRecoversAndThoseBelowKeepNothing) {
  WriteUpdates("agent", 10, 1000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  NodeProcess& region = AddFollower("region", root.node_socket());
  region.Start();
  NodeProcess& site = AddFollower("site", region.node_socket());
  site.Start();
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 10; }));
  EXPECT_EQ(region.Stop(), 0);
  const std::string db = region.state_dir() + "/db";
  std::filesystem::copy(db, db + "-before", std::filesystem::copy_options::recursive);
  region.Start();
  WriteUpdates("later", 2, 1000);
  Import(root);
  ASSERT_TRUE(Eventually(site, [&] { return UpdateCount(site) == 12; }));

  region.Kill();
  std::filesystem::remove_all(db);
  std::filesystem::rename(db + "-before", db);
  const Finished refused = region.StartAndEnd();
  EXPECT_NE(refused.exit_code, 0);
  const Finished recovered = region.Offline({"recover"});
  ASSERT_EQ(recovered.exit_code, 0) << recovered.err;
  region.Start();
  EXPECT_TRUE(Eventually(site, [&] {
    return InParity(region) && InParity(site) && RecordsKept(site) == 0 &&
           absl::StrContains(Summaries(site), "EPOCH_CHANGED");
  })) << Summaries(site);
  EXPECT_EQ(UpdateCount(site), 12);
  EXPECT_THAT(Conditions(site), Not(Contains("HISTORY_DIFFERS")));
}

TEST_F(HistoriesTest, RefusesItsOwnIdentityACircleAndANinthLevel) {
  NodeProcess& root = AddRoot("hq");
  root.Start();
  std::vector<NodeProcess*> levels = {&root};
  for (int level = 2; level <= 8; ++level) {
    levels.push_back(&AddFollower(absl::StrCat("level", level), levels.back()->node_socket()));
    levels.back()->Start();
    NodeProcess& node = *levels.back();
    ASSERT_TRUE(Eventually(node, [&] {
      const std::vector<v1::Session> sessions = Sessions(node);
      return !sessions.empty() && sessions.front().outcome() == v1::SYNC_OUTCOME_SUCCEEDED;
    })) << level;
  }
  NodeProcess& ninth = AddFollower("level9", levels.back()->node_socket());
  ninth.Start();
  EXPECT_TRUE(Eventually(ninth, [&] { return LastReason(ninth) == "TOO_DEEP"; }));

  const Finished circle = levels[2]->Cli({"upstream", "set", levels[4]->node_socket()});
  EXPECT_NE(circle.exit_code, 0);
  EXPECT_THAT(circle.err, HasSubstr("is above this node"));
  EXPECT_EQ(Followed(*levels[2]), levels[1]->node_socket());

  NodeProcess& copy = AddFollower("copy", levels[1]->node_socket());
  EXPECT_EQ(levels[7]->Stop(), 0);
  EXPECT_EQ(levels[1]->Stop(), 0);
  std::filesystem::remove_all(copy.state_dir());
  std::filesystem::copy(levels[1]->state_dir(), copy.state_dir(),
                        std::filesystem::copy_options::recursive);
  levels[1]->Start();
  copy.Start();
  EXPECT_TRUE(Eventually(copy, [&] { return LastReason(copy) == "DUPLICATE_NODE"; }))
      << LastReason(copy);
}

}  // namespace
}  // namespace sluice
