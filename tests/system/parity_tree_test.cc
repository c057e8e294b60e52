// Parity of a whole tree, and petitions that travel up it, with real daemons.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "sluice/v1/petition_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class ParityTreeTest : public TreeTest {
 protected:
  // A check of the node and all below it.
  static Parity CheckSubtree(const NodeProcess& node) {
    return ReadParity(node.Cli({"parity", "check", "--subtree", "--wait-for", "60s", "-o", "json"},
                               2 * kPatience));
  }

  static std::vector<v1::Petition> Petitions(const NodeProcess& node) {
    const auto response = node.Get<v1::ListPetitionsResponse>({"petition", "list"});
    return {response.petitions().begin(), response.petitions().end()};
  }
  static v1::PetitionState StateOf(const NodeProcess& node, const std::string& id) {
    for (const v1::Petition& petition : Petitions(node)) {
      if (petition.petition_id() == id) return petition.state();
    }
    return v1::PETITION_STATE_UNSPECIFIED;
  }
  // Whether `root` has heard that `name` follows the node of that id.
  static bool IsBelow(const NodeProcess& root, const std::string& name, const std::string& id) {
    const auto tree = root.Get<v1::ListNodesResponse>({"tree"});
    for (const v1::TreeNode& node : tree.nodes()) {
      if (node.status().name() == name) return node.upstream_id() == id;
    }
    return false;
  }

  // Has `node` ask its upstream, in one way; returns the petition's id.
  static std::string Ask(const NodeProcess& node, const std::string& way) {
    const Finished asked = node.Cli({"parity", "fix", way, "--comment", "please", "-o", "name"});
    EXPECT_EQ(asked.exit_code, 0) << asked.err;
    return asked.out.substr(0, asked.out.find('\n'));
  }
  static void Grant(const NodeProcess& node, const std::string& id) {
    const Finished granted = node.Cli({"petition", "grant", id});
    EXPECT_EQ(granted.exit_code, 0) << granted.err;
  }

  void StartTree(const std::string& root_yaml = "") {
    WriteUpdates("agent", 3, 2000);
    root_ = &AddRoot("hq");
    root_->set_node_yaml(root_yaml);
    root_->Start();
    Import(*root_);
    ApproveAll(*root_, "agent-0");
    // So few records that what comes and goes here would be a large share of them.
    const std::string unguarded = "guard_percent: 100\n";
    middle_ = &AddFollower("region", root_->node_socket(), unguarded);
    middle_->Start();
    leaf_ = &AddFollower("site", middle_->node_socket(), unguarded);
    leaf_->Start();
    ASSERT_TRUE(Eventually(*leaf_, [&] { return ReadyUpdates(*leaf_) == 1; }));
  }

  // The middle is reinstalled and takes less than before: what the leaf has more, it keeps.
  void ReinstallTheMiddle() {
    EXPECT_EQ(middle_->Stop(), 0);
    std::filesystem::remove_all(middle_->state_dir());
    middle_->set_role_yaml(FollowerYaml(root_->node_socket()) +
                           "initial_subscription: {products: [Contoso/Other]}\n");
    middle_->Init();
    middle_->Start();
    Parity parity;
    EXPECT_TRUE(Eventually(*leaf_, [&] {
      parity = CheckParity(*leaf_);
      // Kept, and not only seen before the next synchronisation.
      return parity.Count(v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED) == 4 &&
             parity.exit_code == 2;
    })) << parity.Text();
    // A node speaks for those that are known to be below it.
    EXPECT_TRUE(Eventually(*middle_, [&] { return IsBelow(*root_, "site", middle_->node_id()); }));
  }

  NodeProcess* root_ = nullptr;
  NodeProcess* middle_ = nullptr;
  NodeProcess* leaf_ = nullptr;
};

TEST_F(ParityTreeTest, ACheckOfTheWholeTreeFindsWhatDiffersTwoLevelsBelow) {
  ASSERT_NO_FATAL_FAILURE(StartTree());
  Parity parity;
  // Both have reported to be there.
  EXPECT_TRUE(Eventually(*leaf_, [&] {
    parity = CheckSubtree(*root_);
    return parity.exit_code == 0 && parity.nodes.size() == 2;
  })) << parity.Text();

  const auto update = leaf_->Get<v1::GetUpdateResponse>({"update", "get", "agent-0 edition 1"});
  const std::string digest = update.revisions(0).files(0).sha256();
  std::filesystem::remove(
      absl::StrCat(leaf_->content_dir(), "/", digest.substr(0, 2), "/", digest.substr(2)));
  parity = CheckSubtree(*root_);
  EXPECT_EQ(parity.exit_code, 1) << parity.Text();
  ASSERT_EQ(parity.findings.size(), 1U) << parity.Text();
  EXPECT_EQ(parity.findings[0].finding_class(), v1::FINDING_CLASS_CONTENT_MISSING);
  EXPECT_EQ(parity.findings[0].node_name(), "site");
  EXPECT_EQ(parity.nodes.size(), 2U) << parity.Text();
  // It is kept, there and here.
  for (const std::vector<std::string>& show :
       {std::vector<std::string>{"parity", "show"}, {"parity", "show", "site"}}) {
    const NodeProcess& node = show.size() == 2 ? *leaf_ : *root_;
    const Finished shown = node.Cli(show);
    EXPECT_EQ(shown.exit_code, 1) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("content missing"));
  }
}

TEST_F(ParityTreeTest, ANodeThatIsAwayIsOverdue) {
  ASSERT_NO_FATAL_FAILURE(StartTree());
  EXPECT_TRUE(Eventually(*leaf_, [&] { return CheckSubtree(*root_).nodes.size() == 2; }));
  leaf_->Kill();
  const Finished checked =
      root_->Cli({"parity", "check", "--subtree", "--wait-for", "2s", "--format", "nagios"});
  EXPECT_EQ(checked.exit_code, 3) << checked.out;
  EXPECT_THAT(checked.out, HasSubstr("no answer from site"));
}

TEST_F(ParityTreeTest, APetitionReachesTheRootAndItsGrantComesBack) {
  ASSERT_NO_FATAL_FAILURE(StartTree());
  ASSERT_NO_FATAL_FAILURE(ReinstallTheMiddle());
  EXPECT_THAT(leaf_->Cli({"condition", "list", "-o", "name"}).out, HasSubstr("PARITY_DIFFERS"));

  const Finished decline = leaf_->Cli({"parity", "fix", "--decline"});
  EXPECT_NE(decline.exit_code, 0);
  EXPECT_THAT(decline.err, HasSubstr("decline at the root"));

  const std::string widen = Ask(*leaf_, "--widen");
  Grant(*middle_, widen);
  EXPECT_TRUE(Eventually(*leaf_, [&] { return CheckParity(*leaf_).exit_code == 0; }))
      << CheckParity(*leaf_).Text();
  EXPECT_EQ(UpdateCount(*middle_), 3);
  EXPECT_THAT(middle_->Cli({"audit", "list"}).out, HasSubstr("grant petition"));
}

// The middle takes single updates of a product that it does not select; the leaf has them again
// with the product.
TEST_F(ParityTreeTest, APinThatIsGrantedBringsTheUpdatesBack) {
  ASSERT_NO_FATAL_FAILURE(StartTree());
  ASSERT_NO_FATAL_FAILURE(ReinstallTheMiddle());
  const std::string pin = Ask(*leaf_, "--pin");
  ASSERT_EQ(StateOf(*middle_, pin), v1::PETITION_STATE_WAITING);
  Grant(*middle_, pin);
  EXPECT_EQ(StateOf(*root_, pin), v1::PETITION_STATE_GRANTED) << "the root has these updates";
  EXPECT_EQ(StateOf(*middle_, pin), v1::PETITION_STATE_GRANTED);
  EXPECT_TRUE(
      Eventually(*leaf_, [&] { return StateOf(*leaf_, pin) == v1::PETITION_STATE_GRANTED; }));
  EXPECT_TRUE(Eventually(*leaf_, [&] { return CheckParity(*leaf_).exit_code == 0; }))
      << CheckParity(*leaf_).Text();
  EXPECT_EQ(UpdateCount(*middle_), 3);
}

TEST_F(ParityTreeTest, ARestoredRootTakesBackWhatItLost) {
  ASSERT_NO_FATAL_FAILURE(StartTree(absl::StrCat("  backup_dir: ", directory(), "/backups\n")));
  ASSERT_EQ(root_->Cli({"backup", "create"}).exit_code, 0);
  WriteUpdate("news", 2000);
  Import(*root_);
  ApproveAll(*root_, "news");
  ASSERT_EQ(root_->Cli({"group", "create", "Later"}).exit_code, 0);
  ASSERT_TRUE(Eventually(*leaf_, [&] { return ReadyUpdates(*leaf_) == 2; }));

  EXPECT_EQ(root_->Stop(), 0);
  std::filesystem::remove_all(root_->state_dir() + "/db");
  std::filesystem::remove(root_->state_dir() + "/node.id");
  ASSERT_EQ(root_->Offline({"restore", "--backup", "1"}).exit_code, 0);
  root_->Start();
  ASSERT_EQ(UpdateCount(*root_), 3);
  // The new history was followed, and what it lacks is kept.
  Parity parity;
  EXPECT_TRUE(Eventually(*middle_, [&] {
    parity = CheckParity(*middle_);
    int kept = 0;
    for (const v1::Finding& finding : parity.findings) kept += finding.reason() == "EPOCH_CHANGED";
    return kept == 3 && parity.findings.size() == 3;
  })) << parity.Text();
  EXPECT_EQ(parity.exit_code, 2);

  const Finished preview = middle_->Cli({"parity", "fix", "--return", "--dry-run"});
  EXPECT_THAT(preview.out, HasSubstr("would: ask the upstream: take back"));
  EXPECT_TRUE(Petitions(*root_).empty());
  const std::string id = Ask(*middle_, "--return");
  ASSERT_EQ(StateOf(*root_, id), v1::PETITION_STATE_WAITING);
  Grant(*root_, id);
  EXPECT_EQ(UpdateCount(*root_), 4);
  for (const NodeProcess* node : {middle_, leaf_}) {
    EXPECT_TRUE(Eventually(*node, [&] { return CheckParity(*node).exit_code == 0; }))
        << CheckParity(*node).Text();
  }
  EXPECT_TRUE(
      Eventually(*middle_, [&] { return StateOf(*middle_, id) == v1::PETITION_STATE_GRANTED; }));
  const auto groups = root_->Get<v1::ListGroupsResponse>({"group", "list"});
  EXPECT_EQ(groups.groups_size(), 2) << groups.ShortDebugString();
  EXPECT_EQ(ReadyUpdates(*leaf_), 2);
}

}  // namespace
}  // namespace sluice
