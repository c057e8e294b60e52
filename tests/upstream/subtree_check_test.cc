// What all nodes below find, as it comes in.
#include "upstream/subtree_check.h"

#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::SizeIs;

class SubtreeCheckTest : public ::testing::Test {
 protected:
  // A report of a node below, with `findings` findings, tried at `attempted_at`.
  void Report(const Uuid& id, const std::string& name, const Uuid& upstream,
              absl::Time attempted_at, int findings, const std::string& failed = "") {
    v1::TreeNode node;
    v1::NodeStatus& status = *node.mutable_status();
    status.set_node_id(id.bytes());
    status.set_name(name);
    status.set_upstream_id(upstream.bytes());
    v1::ParityState& state = *status.mutable_parity();
    *state.mutable_attempted_at() =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(attempted_at));
    state.set_failed_reason(failed);
    state.mutable_summary()->set_in_parity(findings == 0);
    state.mutable_summary()->set_findings(findings);
    state.mutable_summary()->set_findings_standing(findings);
    for (int i = 0; i < findings; ++i) {
      state.add_findings()->set_finding_class(v1::FINDING_CLASS_MISSING_UPSTREAM);
    }
    CatalogChange change;
    change.PutRow(Family::kNodes, id.view(), node);
    catalog_.Commit(change);
  }

  TestCatalog catalog_;
  const Uuid a_ = Uuid::Random();
  const Uuid b_ = Uuid::Random();
  const absl::Time wish_ = absl::FromUnixSeconds(1'700'000'200);
};

TEST_F(SubtreeCheckTest, SaysEachNodeOnceItHasAnsweredAndThenTheSumOfAll) {
  const absl::Time before = wish_ - absl::Seconds(1);
  Report(a_, "a", catalog_->node_id(), before, 0);
  Report(b_, "b", a_, before, 5);
  SubtreeCheck check(wish_);
  EXPECT_THAT(*check.Collect(catalog_.Read()), SizeIs(0)) << "these are older than the wish";
  EXPECT_FALSE(check.complete());

  Report(b_, "b", a_, wish_, 2);
  const auto b_said = *check.Collect(catalog_.Read());
  ASSERT_THAT(b_said, SizeIs(3));
  EXPECT_EQ(b_said[0].finding().node_name(), "b");
  EXPECT_EQ(b_said[0].finding().node_id(), b_.ToString());
  EXPECT_EQ(b_said[2].node().depth(), 2);
  EXPECT_FALSE(check.complete());

  Report(a_, "a", catalog_->node_id(), wish_ + absl::Seconds(1), 0);
  EXPECT_THAT(*check.Collect(catalog_.Read()), SizeIs(1));
  EXPECT_TRUE(check.complete());
  const auto last = *check.Finish(catalog_.Read());
  ASSERT_THAT(last, SizeIs(1));
  EXPECT_FALSE(last[0].summary().in_parity());
  EXPECT_EQ(last[0].summary().findings(), 2);
}

TEST_F(SubtreeCheckTest, NamesThoseThatDidNotAnswerOrCouldNotCompare) {
  Report(a_, "a", catalog_->node_id(), wish_, 0, "UPSTREAM_CONNECT");
  Report(b_, "b", a_, wish_ - absl::Hours(1), 0);
  SubtreeCheck check(wish_);
  const auto said = *check.Collect(catalog_.Read());
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].node().state().failed_reason(), "UPSTREAM_CONNECT");
  const auto last = *check.Finish(catalog_.Read());
  ASSERT_THAT(last, SizeIs(2));
  EXPECT_TRUE(last[0].node().overdue());
  EXPECT_EQ(last[0].node().node_name(), "b");
  EXPECT_FALSE(last[1].summary().in_parity());
}

TEST_F(SubtreeCheckTest, IsInParityWhenAllAre) {
  Report(a_, "a", catalog_->node_id(), wish_, 0);
  SubtreeCheck check(wish_);
  EXPECT_THAT(*check.Collect(catalog_.Read()), SizeIs(1));
  EXPECT_TRUE((*check.Finish(catalog_.Read())).back().summary().in_parity());
}

TEST_F(SubtreeCheckTest, NodesThatReportACircleComeOnce) {
  Report(a_, "a", b_, wish_, 0);
  Report(b_, "b", a_, wish_, 0);
  EXPECT_THAT(*NodesBelow(catalog_.Read()), SizeIs(0));
}

}  // namespace
}  // namespace sluice
