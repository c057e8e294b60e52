// Where an update is and why: over what nodes below reported.
#include "upstream/update_places.h"

#include <algorithm>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/acknowledgements.h"
#include "storage/memory_content_store.h"
#include "storage/own_acknowledgements.h"
#include "tests/storage/test_catalog.h"
#include "upstream/tree_service.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const Uuid kHq = Uuid::FromName({}, "hq");

Uuid NodeOf(absl::string_view name) { return Uuid::FromName({}, name); }

// A root, a region below it, a leaf below that.
class UpdatePlacesTest : public ::testing::Test {
 protected:
  UpdatePlacesTest() {
    catalog_.AddUpdate({.name = "a", .title = "agent", .contents = {"bytes"}});
    catalog_.AddProduct("Contoso/Agent");
    region_ = Below("region", "hq");
    leaf_ = Below("leaf", "region");
  }

  v1::NodeStatus Below(absl::string_view name, absl::string_view upstream) {
    v1::NodeStatus status;
    status.set_node_id(NodeOf(name).bytes());
    status.set_name(std::string(name));
    status.set_upstream_id(NodeOf(upstream).bytes());
    status.set_mode(v1::NODE_MODE_REPLICA);
    FollowTo(status, catalog_->durable_head());
    return status;
  }

  void FollowTo(v1::NodeStatus& status, uint64_t seq) {
    v1::Cursor& root = *status.mutable_root_cursor();
    root.set_upstream_id(kHq.bytes());
    *root.mutable_epoch() = catalog_->epoch();
    root.set_seq(seq);
  }

  static v1::UpdateAcknowledgement Said(const v1::NodeStatus& node, const std::string& digest) {
    v1::UpdateAcknowledgement said;
    said.set_node_id(node.node_id());
    said.set_update_id(UpdateIdOf("a").bytes());
    said.mutable_metadata_at()->set_seconds(1'700'000'001);
    said.mutable_decision_at()->set_seconds(1'700'000'002);
    said.set_policy_digest(digest);
    return said;
  }

  void Store(const v1::UpdateAcknowledgement& said) {
    CatalogChange change;
    ASSERT_TRUE(PutAcknowledgement(catalog_.Read(), said, change).ok());
    catalog_.Commit(change);
  }

  std::string Decisions() { return DigestOfDecisions(catalog_.Read(), UpdateIdOf("a")).value(); }

  void HearAll() {
    CatalogChange change;
    for (const v1::NodeStatus& status : {region_, leaf_}) {
      v1::TreeNode node;
      *node.mutable_status() = status;
      node.mutable_heard_at()->set_seconds(absl::ToUnixSeconds(heard_at_));
      change.PutRow(Family::kNodes, status.node_id(), node);
    }
    catalog_.Commit(change);
  }

  v1::WhereResponse Where(const std::string& update = "a") {
    HearAll();
    v1::WhereRequest request;
    request.set_update_id(UpdateIdOf(update).ToString());
    const absl::StatusOr<v1::WhereResponse> response = service_.Where(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(v1::WhereResponse());
  }

  v1::ExplainResponse Explain(const std::string& node) {
    HearAll();
    v1::ExplainRequest request;
    request.set_update_id(UpdateIdOf("a").ToString());
    request.set_node(node);
    const absl::StatusOr<v1::ExplainResponse> response = service_.Explain(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(v1::ExplainResponse());
  }

  static std::vector<v1::StageState> Stages(const v1::UpdatePlace& place) {
    return {place.metadata().state(), place.decision().state(), place.content().state(),
            place.visible().state()};
  }

  v1::NodeStatus Self() {
    v1::NodeStatus status;
    status.set_node_id(kHq.bytes());
    status.set_name("hq");
    status.set_mode(v1::NODE_MODE_ROOT);
    *status.mutable_epoch() = catalog_->epoch();
    status.set_head_seq(catalog_->durable_head());
    return status;
  }

  TestCatalog catalog_{kNow, kHq};
  MemoryContentStore content_;
  ManualClock clock_{kNow};
  absl::Time heard_at_ = kNow;
  v1::NodeStatus region_;
  v1::NodeStatus leaf_;
  TreeService service_{*catalog_, content_, clock_, {.self = [this] { return Self(); }}};
};

constexpr auto kReached = v1::STAGE_STATE_REACHED;
constexpr auto kNotYet = v1::STAGE_STATE_NOT_YET;
constexpr auto kNotWanted = v1::STAGE_STATE_NOT_WANTED;
constexpr auto kUnknown = v1::STAGE_STATE_UNKNOWN;

TEST_F(UpdatePlacesTest, TellsByTheRootsSeqWhoHasTheMetadataOfWhatNobodyDecided) {
  FollowTo(leaf_, 0);
  const v1::WhereResponse where = Where();
  EXPECT_EQ(where.title(), "agent");
  ASSERT_THAT(where.places(), SizeIs(3));
  EXPECT_EQ(where.places(1).node_name(), "region");
  EXPECT_THAT(Stages(where.places(0)), ElementsAre(kReached, kNotYet, kNotWanted, kNotWanted));
  EXPECT_THAT(Stages(where.places(1)), ElementsAre(kReached, kNotYet, kNotWanted, kNotWanted));
  EXPECT_THAT(Stages(where.places(2)), ElementsAre(kNotYet, kNotYet, kNotWanted, kNotWanted));
  EXPECT_EQ(where.places(2).waits_for(), "ITEM_NOT_YET");
}

TEST_F(UpdatePlacesTest, ATreeNodeOfAnotherHistoryOfTheRootIsNotKnownToHaveIt) {
  leaf_.mutable_root_cursor()->mutable_epoch()->set_epoch_id(NodeOf("another").bytes());
  EXPECT_EQ(Where().places(2).metadata().state(), kUnknown);
}

TEST_F(UpdatePlacesTest, SaysWhichPartOfWhoseSubscriptionLeavesItOut) {
  region_.mutable_subscription()->add_products("Fabrikam");
  const v1::WhereResponse where = Where();
  EXPECT_THAT(Stages(where.places(1)), ElementsAre(kNotWanted, kNotWanted, kNotWanted, kNotWanted));
  EXPECT_THAT(where.places(1).detail(), HasSubstr("does not take the product Contoso/Agent"));
  EXPECT_EQ(where.places(2).metadata().state(), kNotWanted);
  const v1::ExplainResponse why = Explain("leaf");
  EXPECT_FALSE(why.visible());
  EXPECT_THAT(why.verdict(), HasSubstr("at region, its subscription does not take the product"));
  EXPECT_THAT(why.steps(), SizeIs(3 * v1::VisibilityRule_MAX));
  EXPECT_EQ(why.steps(0).node_name(), "hq");

  region_.mutable_subscription()->add_update_ids(UpdateIdOf("a").bytes());
  EXPECT_EQ(Where().places(1).metadata().state(), kReached) << "it is picked";
}

TEST_F(UpdatePlacesTest, NamesClassificationAndLanguageToo) {
  catalog_.AddUpdate({.name = "a", .title = "agent", .contents = {"x"}, .languages = {"de"}});
  FollowTo(region_, catalog_->durable_head());
  region_.mutable_subscription()->add_classifications("Updates");
  EXPECT_THAT(Explain("region").verdict(), HasSubstr("does not take the classification"));
  region_.mutable_subscription()->clear_classifications();
  region_.mutable_subscription()->add_languages("fr");
  EXPECT_THAT(Explain("region").verdict(), HasSubstr("takes none of the languages de"));
}

TEST_F(UpdatePlacesTest, ShowsSinceWhenEachStageIsReached) {
  catalog_.Approve("a");
  v1::UpdateAcknowledgement said = Said(leaf_, Decisions());
  said.mutable_content_at()->set_seconds(1'700'000'003);
  said.mutable_visible_at()->set_seconds(1'700'000'004);
  Store(said);
  const v1::UpdatePlace leaf = Where().places(2);
  EXPECT_THAT(Stages(leaf), ElementsAre(kReached, kReached, kReached, kReached));
  EXPECT_EQ(leaf.metadata().since().seconds(), 1'700'000'001);
  EXPECT_EQ(leaf.decision().since().seconds(), 1'700'000'002);
  EXPECT_EQ(leaf.content().since().seconds(), 1'700'000'003);
  EXPECT_EQ(leaf.visible().since().seconds(), 1'700'000'004);
  EXPECT_THAT(Explain("leaf").verdict(), HasSubstr("leaf offers it since 2023-11-14 22:13:24"));
  // The region has said nothing of a decision that is in force here.
  EXPECT_THAT(Stages(Where().places(1)), ElementsAre(kReached, kUnknown, kUnknown, kUnknown));
}

// Every reason that a node can give for an update leads to its rule.
TEST_F(UpdatePlacesTest, FindsTheRuleBehindEachReasonThatANodeGives) {
  const std::vector<std::pair<v1::Reason, v1::VisibilityRule>> cases = {
      {v1::REASON_ITEM_DECLINED, v1::VISIBILITY_RULE_NOT_DECLINED},
      {v1::REASON_ITEM_NOT_APPROVED, v1::VISIBILITY_RULE_APPROVED},
      {v1::REASON_ITEM_NOT_YET, v1::VISIBILITY_RULE_APPROVED},
      {v1::REASON_ITEM_HELD_BACK, v1::VISIBILITY_RULE_NOT_HELD_BACK},
      {v1::REASON_ITEM_NOT_FOUND, v1::VISIBILITY_RULE_CLOSURE},
      {v1::REASON_CONTENT_MISSING, v1::VISIBILITY_RULE_CONTENT},
      {v1::REASON_CONTENT_NO_SPACE, v1::VISIBILITY_RULE_CONTENT},
      {v1::REASON_CONTENT_CORRUPT, v1::VISIBILITY_RULE_CONTENT}};
  for (const auto& [reason, rule] : cases) {
    v1::UpdateAcknowledgement said = Said(leaf_, "older decisions");
    said.set_waits_for(ReasonName(reason));
    said.set_files_missing(1);
    said.mutable_changed_at()->set_seconds(rule * 10 + reason);
    Store(said);
    const v1::ExplainResponse why = Explain("leaf");
    const auto& steps = why.steps();
    const auto stopped = std::find_if(steps.rbegin(), steps.rend(), [](const auto& step) {
      return step.node_name() == "leaf" && !step.passed() && !step.unknown();
    });
    ASSERT_NE(stopped, steps.rend()) << ReasonName(reason);
    EXPECT_EQ(v1::VisibilityRule_Name(stopped->rule()), v1::VisibilityRule_Name(rule));
    EXPECT_EQ(stopped->reason(), ReasonName(reason));
    EXPECT_FALSE(why.visible());
  }
}

TEST_F(UpdatePlacesTest, MetadataThatFailedItsVerificationIsNotCalledFiltered) {
  v1::UpdateAcknowledgement said = Said(leaf_, "decisions");
  said.clear_metadata_at();
  said.set_waits_for("ITEM_CORRUPT");
  Store(said);
  EXPECT_THAT(Explain("leaf").verdict(), HasSubstr("its metadata was not accepted"));
}

TEST_F(UpdatePlacesTest, TellsLicenceFromApprovalByTheDecisionsThatBothKnow) {
  catalog_.Approve("a");
  v1::UpdateAcknowledgement said = Said(leaf_, Decisions());
  said.set_waits_for("ITEM_NOT_APPROVED");
  Store(said);
  EXPECT_THAT(Explain("leaf").verdict(), HasSubstr("licence has not been accepted"));
}

TEST_F(UpdatePlacesTest, SaysSinceWhenANodeIsSilent) {
  catalog_.Approve("a");
  v1::UpdateAcknowledgement said = Said(leaf_, Decisions());
  said.mutable_visible_at()->set_seconds(1'700'000'004);
  Store(said);
  heard_at_ = kNow - absl::Hours(26);
  const v1::ExplainResponse why = Explain("leaf");
  EXPECT_FALSE(why.visible());
  EXPECT_THAT(why.verdict(), HasSubstr("not heard of since 2023-11-13 20:13:20 UTC"));
  EXPECT_EQ(Where().places(2).visible().state(), kReached) << "that is what it said last";
}

TEST_F(UpdatePlacesTest, KnowsNothingOfTheDecisionsOfAnAutonomousNode) {
  leaf_.set_mode(v1::NODE_MODE_AUTONOMOUS);
  EXPECT_EQ(Where().places(2).decision().state(), kUnknown);
}

TEST_F(UpdatePlacesTest, PagesAndRefusesWhatItDoesNotKnow) {
  HearAll();
  v1::WhereRequest request;
  request.set_update_id(UpdateIdOf("a").ToString());
  request.set_page_size(2);
  const v1::WhereResponse first = *service_.Where(request);
  EXPECT_THAT(first.places(), SizeIs(2));
  request.set_page_token(first.next_page_token());
  EXPECT_EQ(service_.Where(request)->places(0).node_name(), "leaf");
  request.set_page_token("");
  request.set_update_id(UpdateIdOf("nobody's").ToString());
  EXPECT_EQ(ReasonOf(service_.Where(request).status()), v1::REASON_ITEM_NOT_FOUND);
  request.set_update_id("garbage");
  EXPECT_EQ(ReasonOf(service_.Where(request).status()), v1::REASON_INVALID_REQUEST);
  v1::ExplainRequest why;
  why.set_update_id(UpdateIdOf("a").ToString());
  why.set_node("nobody");
  EXPECT_EQ(ReasonOf(service_.Explain(why).status()), v1::REASON_ITEM_NOT_FOUND);
}

TEST_F(UpdatePlacesTest, AsksForAnIdWhereTwoNodesHaveOneName) {
  leaf_.set_name("region");
  HearAll();
  v1::ExplainRequest why;
  why.set_update_id(UpdateIdOf("a").ToString());
  why.set_node("region");
  EXPECT_EQ(ReasonOf(service_.Explain(why).status()), v1::REASON_INVALID_REQUEST);
  why.set_node(NodeOf("leaf").ToString());
  EXPECT_EQ(service_.Explain(why)->node_id(), NodeOf("leaf").ToString());
}

// The answering node by itself: the same rules over its own store.
TEST_F(UpdatePlacesTest, ExplainsTheAnsweringNodeFromItsOwnStore) {
  EXPECT_THAT(Explain("").verdict(), HasSubstr("hq does not offer it: it is not approved"));
  catalog_.Approve("a");
  EXPECT_THAT(Explain("").verdict(), HasSubstr("1 of 1 file is not here yet"));
  stored::v1::ContentRow row;
  row.set_state(v1::CONTENT_STATE_FAILED);
  row.mutable_last_failure()->set_reason("CONTENT_SOURCE_GONE");
  row.mutable_last_failure()->set_message("the archive dropped it");
  CatalogChange change;
  change.PutRow(Family::kContent, Digest::Of("bytes").view(), row);
  catalog_.Commit(change);
  EXPECT_THAT(Explain("").verdict(),
              AllOf(HasSubstr("the archive dropped it"), HasSubstr("Approve the successor")));
  auto writer = content_.Write(Digest::Of("bytes"), 5);
  ASSERT_TRUE(writer.ok() && (*writer)->Append("bytes").ok() && (*writer)->Commit().ok());
  EXPECT_TRUE(Explain("").visible());
  catalog_.Decline("a");
  EXPECT_THAT(Explain("").verdict(), HasSubstr("it is declined by test"));
}

TEST_F(UpdatePlacesTest, NamesThePrerequisitesThatAreNotHere) {
  catalog_.AddUpdate({.name = "a", .title = "agent", .prerequisites = {"base"}});
  catalog_.Approve("a");
  EXPECT_THAT(Explain("hq").verdict(), HasSubstr(UpdateIdOf("base").ToString()));
  catalog_.AddUpdate({.name = "base"});
  EXPECT_TRUE(Explain("hq").visible());
}

}  // namespace
}  // namespace sluice
