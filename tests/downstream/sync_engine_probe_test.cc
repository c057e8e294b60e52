// An upstream with another history: one fingerprint first.
#include <string>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kUpdates = 40;

void Fill(TestCatalog& catalog) {
  for (int i = 0; i < kUpdates; ++i) catalog.AddUpdate({.name = "update " + std::to_string(i)});
}

// A node that has all of an upstream.
class SyncEngineProbeTest : public ::testing::Test {
 protected:
  SyncEngineProbeTest() {
    Fill(bench_.upstream());
    bench_.Start();
  }

  EngineBench bench_;
  TestCatalog rebuilt_{absl::FromUnixSeconds(1'800'000'000)};
};

TEST_F(SyncEngineProbeTest, AsksForNoShardOfAnUpstreamThatWasMadeAnewWithTheSameFacts) {
  Fill(rebuilt_);
  bench_.MoveTo(rebuilt_);
  bench_.Advance(absl::Minutes(2));
  const v1::Session session = bench_.LastSession();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(session.method(), v1::SYNC_METHOD_RECONCILE);
  EXPECT_THAT(session.summary(), HasSubstr("the same facts"));
  EXPECT_EQ(session.counts().revisions(), 0);
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0U);
  EXPECT_EQ(bench_.Cursor().epoch().epoch_id(), rebuilt_->epoch().epoch_id());
  EXPECT_EQ(bench_.Cursor().seq(), rebuilt_->durable_head());
  // And goes on from there.
  rebuilt_.AddUpdate({.name = "more"});
  bench_.Run();
  EXPECT_TRUE(bench_.Has("more"));
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 0U);
}

TEST_F(SyncEngineProbeTest, ComparesWhereOneFactIsAnother) {
  Fill(rebuilt_);
  rebuilt_.AddUpdate({.name = "only there"});
  bench_.MoveTo(rebuilt_);
  bench_.Advance(absl::Minutes(2));
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 1U);
  EXPECT_EQ(bench_.LastSession().counts().revisions(), 1);
  EXPECT_THAT(bench_.LastSession().summary(), Not(HasSubstr("the same facts")));
  EXPECT_TRUE(bench_.Has("only there"));
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

TEST_F(SyncEngineProbeTest, ComparesWhereTheQuestionIsNotAnswered) {
  Fill(rebuilt_);
  bench_.intercept = [this](const EngineAction& action) {
    const auto* const open = std::get_if<OpenChanges>(&action);
    if (open == nullptr || !open->request.marks_only()) return false;
    bench_.TakeLater(ChangesEnded{open->call, MakeError(v1::REASON_SELECTION_CHANGED, "moved")});
    return true;
  };
  bench_.MoveTo(rebuilt_);
  bench_.Advance(absl::Minutes(2));
  EXPECT_EQ(bench_.Count<OpenReconcile>(), 1U);
  EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(bench_.Cursor().epoch().epoch_id(), rebuilt_->epoch().epoch_id());
}

TEST_F(SyncEngineProbeTest, TakesWhatTheUpstreamGotAfterTheGreetingForADifference) {
  Fill(rebuilt_);
  bool grown = false;
  bench_.intercept = [&](const EngineAction& action) {
    const auto* const open = std::get_if<OpenChanges>(&action);
    if (open != nullptr && open->request.marks_only() && !grown) {
      rebuilt_.AddUpdate({.name = "meanwhile"});
      grown = true;
    }
    return false;
  };
  bench_.MoveTo(rebuilt_);
  bench_.Advance(absl::Minutes(2));
  EXPECT_TRUE(grown);
  EXPECT_TRUE(bench_.Has("meanwhile"));
  EXPECT_EQ(bench_.Ours(), bench_.Theirs());
}

}  // namespace
}  // namespace sluice
