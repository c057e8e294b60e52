// Acknowledgements: this node's own, those it heard of, and what the upstream is told of them.
#include "storage/acknowledgements.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/acknowledgement_outbox.h"
#include "storage/own_acknowledgements.h"
#include "storage/root_cursor.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Uuid kChild = Uuid::FromName({}, "child");
constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

v1::HelloResponse UpstreamOf(const std::string& name, const std::string& epoch) {
  v1::HelloResponse hello;
  hello.set_node_id(Uuid::FromName({}, name).bytes());
  hello.mutable_epoch()->set_epoch_id(Uuid::FromName({}, epoch).bytes());
  return hello;
}

class AcknowledgementsTest : public ::testing::Test {
 protected:
  // Makes this a node that follows.
  void Follow() {
    CatalogChange change;
    change.PutRow(Family::kSettings, "upstream_hello", hello_);
    catalog_.Commit(change);
  }

  bool Look(absl::Time now, bool all = false) {
    TouchedUpdates touched;
    touched.updates = {UpdateIdOf("a")};
    touched.all = all;
    touched.revisions = std::exchange(anew_, {});
    const absl::StatusOr<bool> news = AcknowledgeTouched(
        *catalog_, touched, Selection::Expand(catalog_.Read(), {}).value(),
        [this](const ContentInfo& file) { return files_.contains(file.digest); }, now);
    EXPECT_TRUE(news.ok()) << news.status();
    return news.value_or(false);
  }

  v1::UpdateAcknowledgement Own() {
    return ReadAcknowledgement(catalog_.Read(), catalog_->node_id(), UpdateIdOf("a")).value();
  }

  static v1::UpdateAcknowledgement Said(const Uuid& update, int64_t at, bool over = false) {
    v1::UpdateAcknowledgement said;
    said.set_node_id(kChild.bytes());
    said.set_update_id(update.bytes());
    said.mutable_changed_at()->set_seconds(at);
    if (!over) said.set_policy_digest(Digest::Of("decisions").bytes());
    return said;
  }

  void Hear(const std::vector<v1::UpdateAcknowledgement>& said) {
    v1::ReportRequest report;
    report.add_nodes()->set_node_id(kChild.bytes());
    for (const auto& one : said) *report.add_acknowledgements() = one;
    CatalogChange change;
    ASSERT_TRUE(
        TakeAcknowledgements(catalog_.Read(), report.nodes(), report.acknowledgements(), change)
            .ok());
    catalog_.Commit(change);
  }

  // The updates that the next report speaks of.
  std::vector<std::string> Fill() {
    v1::ReportRequest report;
    const absl::Status status = outbox_.Fill(catalog_.Read(), hello_, report);
    EXPECT_TRUE(status.ok()) << status;
    std::vector<std::string> updates;
    for (const auto& one : report.acknowledgements()) updates.push_back(one.update_id());
    return updates;
  }

  int Rows() {
    return static_cast<int>(
        catalog_.Read()
            .ListRows<v1::UpdateAcknowledgement>(Family::kAcknowledgements, "", "", 1 << 20)
            ->size());
  }

  TestCatalog catalog_;
  v1::HelloResponse hello_ = UpstreamOf("hq", "first");
  AcknowledgementOutbox outbox_{*catalog_};
  std::set<Digest> files_;
  std::set<RecordKey> anew_;
};

TEST_F(AcknowledgementsTest, SaysNothingOfWhatNobodyDecided) {
  catalog_.AddUpdate({.name = "a"});
  EXPECT_FALSE(Look(kNow));
  EXPECT_EQ(Rows(), 0);
}

TEST_F(AcknowledgementsTest, FollowsAnUpdateFromItsApprovalToItsFiles) {
  catalog_.AddUpdate({.name = "a", .contents = {"1", "2"}});
  catalog_.Approve("a");
  EXPECT_TRUE(Look(kNow));
  EXPECT_EQ(Own().metadata_at().seconds(), 1'700'000'000);
  EXPECT_EQ(Own().decision_at().seconds(), 1'700'000'000);
  EXPECT_FALSE(Own().has_content_at());
  EXPECT_EQ(Own().files_missing(), 2);
  EXPECT_EQ(Own().waits_for(), "CONTENT_MISSING");

  files_ = {Digest::Of("1"), Digest::Of("2")};
  EXPECT_TRUE(Look(kNow + absl::Seconds(5)));
  EXPECT_EQ(Own().metadata_at().seconds(), 1'700'000'000);
  EXPECT_EQ(Own().content_at().seconds(), 1'700'000'005);
  EXPECT_EQ(Own().visible_at().seconds(), 1'700'000'005);
  EXPECT_EQ(Own().waits_for(), "");
  EXPECT_FALSE(Look(kNow + absl::Seconds(6))) << "nothing changed";

  files_.clear();
  EXPECT_TRUE(Look(kNow + absl::Seconds(7)));
  EXPECT_FALSE(Own().has_visible_at());
}

TEST_F(AcknowledgementsTest, ADecisionOrRevisionBeginsItsTimeAnew) {
  catalog_.AddUpdate({.name = "a"});
  catalog_.Approve("a");
  Look(kNow);
  catalog_.Decline("a");
  Look(kNow + absl::Seconds(5));
  EXPECT_EQ(Own().metadata_at().seconds(), 1'700'000'000);
  EXPECT_EQ(Own().decision_at().seconds(), 1'700'000'005);
  EXPECT_EQ(Own().waits_for(), "ITEM_DECLINED");
  anew_ = {catalog_.AddUpdate({.name = "a", .title = "second revision"})};
  Look(kNow + absl::Seconds(9));
  EXPECT_EQ(Own().metadata_at().seconds(), 1'700'000'009);
}

TEST_F(AcknowledgementsTest, GoesOnInTimeThoughTheClockWasSetBack) {
  catalog_.AddUpdate({.name = "a"});
  catalog_.Approve("a");
  Look(kNow);
  const v1::UpdateAcknowledgement before = Own();
  catalog_.Decline("a");
  Look(kNow - absl::Hours(1));
  EXPECT_GT(Own().changed_at().nanos(), before.changed_at().nanos());
  EXPECT_EQ(Own().changed_at().seconds(), before.changed_at().seconds());
}

TEST_F(AcknowledgementsTest, TakesItBackWhenNoDecisionIsLeft) {
  catalog_.AddUpdate({.name = "a"});
  catalog_.Decline("a");
  Follow();
  Look(kNow);
  catalog_.ClearDecline("a");
  // Nobody touched it: it is found because all is looked at.
  EXPECT_TRUE(Look(kNow + absl::Seconds(1), /*all=*/true));
  EXPECT_EQ(Own().policy_digest(), "");
  EXPECT_THAT(Fill(), ElementsAre(UpdateIdOf("a").bytes()));
  ASSERT_TRUE(outbox_.Delivered().ok());
  EXPECT_EQ(Rows(), 0);
}

TEST_F(AcknowledgementsTest, TheRootForgetsAtOnceAndTellsNobody) {
  const Uuid update = UpdateIdOf("a");
  Hear({Said(update, 1)});
  EXPECT_EQ(Rows(), 1);
  Hear({Said(update, 2, /*over=*/true)});
  EXPECT_EQ(Rows(), 0);
}

TEST_F(AcknowledgementsTest, PassesOnWhatChangedBelowOldestFirstAndOnlyOnce) {
  Follow();
  Hear({Said(UpdateIdOf("late"), 20), Said(UpdateIdOf("early"), 10)});
  EXPECT_THAT(Fill(), ElementsAre(UpdateIdOf("early").bytes(), UpdateIdOf("late").bytes()));
  ASSERT_TRUE(outbox_.Delivered().ok());
  EXPECT_THAT(Fill(), IsEmpty());
  Hear({Said(UpdateIdOf("late"), 20)});
  EXPECT_THAT(Fill(), IsEmpty()) << "that was known";
}

TEST_F(AcknowledgementsTest, TellsAgainWhatWasNotDeliveredAndWhatChangedMeanwhile) {
  Follow();
  Hear({Said(UpdateIdOf("a"), 10), Said(UpdateIdOf("b"), 11)});
  EXPECT_THAT(Fill(), SizeIs(2));
  AcknowledgementOutbox restarted(*catalog_);
  v1::ReportRequest report;
  ASSERT_TRUE(restarted.Fill(catalog_.Read(), hello_, report).ok());
  EXPECT_THAT(report.acknowledgements(), SizeIs(2));
  Hear({Said(UpdateIdOf("a"), 12)});
  ASSERT_TRUE(restarted.Delivered().ok());
  EXPECT_THAT(Fill(), ElementsAre(UpdateIdOf("a").bytes()));
}

TEST_F(AcknowledgementsTest, TellsAgainWhatANodeSaidAfterItBeganAnotherHistory) {
  Follow();
  Hear({Said(UpdateIdOf("a"), 10)});
  EXPECT_THAT(Fill(), SizeIs(1));
  // While the report is on its way the node begins another history, and says word for word the
  // same.
  CatalogChange forget;
  ASSERT_TRUE(ForgetAcknowledgementsOf(catalog_.Read(), kChild, forget).ok());
  catalog_.Commit(forget);
  Hear({Said(UpdateIdOf("a"), 10)});
  ASSERT_TRUE(outbox_.Delivered().ok());
  EXPECT_THAT(Fill(), ElementsAre(UpdateIdOf("a").bytes()));
  ASSERT_TRUE(outbox_.Delivered().ok());
  EXPECT_THAT(Fill(), IsEmpty());
}

TEST_F(AcknowledgementsTest, ToldAnotherUpstreamEverythingInPiecesOfAReport) {
  Follow();
  std::vector<v1::UpdateAcknowledgement> said;
  for (int i = 0; i < 2'500; ++i) said.push_back(Said(UpdateIdOf(absl::StrCat(i)), i));
  Hear(said);
  for (int reports = 0; reports == 0 || outbox_.more(); ++reports) {
    Fill();
    ASSERT_TRUE(outbox_.Delivered().ok());
    ASSERT_LT(reports, 10);
  }
  EXPECT_THAT(Fill(), IsEmpty());

  hello_ = UpstreamOf("hq", "second");
  EXPECT_THAT(Fill(), SizeIs(2'000));
  EXPECT_TRUE(outbox_.more());
  ASSERT_TRUE(outbox_.Delivered().ok());
  // A restart in between goes on where it was.
  AcknowledgementOutbox restarted(*catalog_);
  v1::ReportRequest report;
  ASSERT_TRUE(restarted.Fill(catalog_.Read(), hello_, report).ok());
  EXPECT_THAT(report.acknowledgements(), SizeIs(500));
  EXPECT_FALSE(restarted.more());
  ASSERT_TRUE(restarted.Delivered().ok());
  EXPECT_THAT(Fill(), IsEmpty());
}

TEST_F(AcknowledgementsTest, PassesOverWhatIsNotTheReportersToSay) {
  v1::UpdateAcknowledgement stranger = Said(UpdateIdOf("a"), 1);
  stranger.set_node_id(Uuid::FromName({}, "stranger").bytes());
  v1::UpdateAcknowledgement malformed = Said(UpdateIdOf("a"), 1);
  malformed.set_update_id("short");
  Hear({stranger, malformed});
  EXPECT_EQ(Rows(), 0);
}

TEST_F(AcknowledgementsTest, ForgetsNodesThatWereNotHeardOfForNinetyDays) {
  Hear({Said(UpdateIdOf("a"), 1), Said(UpdateIdOf("b"), 2)});
  v1::TreeNode node;
  node.mutable_status()->set_node_id(kChild.bytes());
  node.mutable_heard_at()->set_seconds(absl::ToUnixSeconds(kNow));
  CatalogChange heard;
  heard.PutRow(Family::kNodes, kChild.view(), node);
  catalog_.Commit(heard);
  CatalogChange early;
  ASSERT_TRUE(ForgetSilentNodes(catalog_.Read(), kNow + absl::Hours(24 * 89), early).ok());
  EXPECT_TRUE(early.empty());
  CatalogChange change;
  ASSERT_TRUE(ForgetSilentNodes(catalog_.Read(), kNow + absl::Hours(24 * 91), change).ok());
  catalog_.Commit(change);
  EXPECT_EQ(Rows(), 0);
  EXPECT_TRUE(absl::IsNotFound(
      catalog_.Read().GetRow<v1::TreeNode>(Family::kNodes, kChild.view()).status()));
}

TEST_F(AcknowledgementsTest, TheRootsOwnRootCursorIsItsHead) {
  catalog_.AddUpdate({.name = "a"});
  const auto cursor = ReadRootCursor(catalog_.Read());
  ASSERT_TRUE(cursor.ok() && cursor->has_value());
  EXPECT_EQ((*cursor)->upstream_id(), catalog_->node_id().bytes());
  EXPECT_EQ((*cursor)->seq(), catalog_->durable_head());
  Follow();
  EXPECT_FALSE(ReadRootCursor(catalog_.Read())->has_value());
}

}  // namespace
}  // namespace sluice
