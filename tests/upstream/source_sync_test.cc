#include "upstream/source_sync.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/session_rows.h"
#include "tests/storage/test_catalog.h"
#include "tests/upstream/bell.h"
#include "tests/upstream/fake_source.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

// A root with one source, "fake", that imports when it is asked.
class SourceSyncTest : public ::testing::Test {
 protected:
  SourceSyncTest() {
    watch_ = catalog_->Watch([this](const CommitOutcome&) { bell_.Ring(); });
  }
  ~SourceSyncTest() override {
    sync_.reset();
    catalog_->Unwatch(watch_);
  }

  void Begin(bool import_at_start) {
    auto source = std::make_unique<FakeSource>("fake");
    source_ = source.get();
    source_->Offer({{.name = "a"}});
    std::vector<ScheduledSource> sources(1);
    sources[0].source = std::move(source);
    sources[0].schedule.times_a_day = times_a_day_;
    sources[0].import_at_start = import_at_start;
    sync_ = std::make_unique<SourceSync>(std::move(sources), *catalog_, clock_, log_);
    sync_->Start();
  }

  // Waits until `count` sessions have ended; returns them, newest first.
  std::vector<v1::Session> WaitForSessions(int count) {
    std::vector<v1::Session> ended;
    EXPECT_TRUE(bell_.WaitUntil([&] {
      ended.clear();
      const auto response = ListSessions(catalog_.Read(), {});
      for (const v1::Session& session : response->sessions()) {
        if (session.has_ended_at()) ended.push_back(session);
      }
      return static_cast<int>(ended.size()) >= count;
    }));
    return ended;
  }

  int times_a_day_ = 0;
  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  Log log_{LogLevel::kOff};
  Bell bell_;
  int64_t watch_ = 0;
  std::unique_ptr<SourceSync> sync_;
  FakeSource* source_ = nullptr;
};

TEST_F(SourceSyncTest, ImportsAtTheStart) {
  Begin(true);
  const v1::Session session = WaitForSessions(1)[0];
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(session.trigger(), v1::SYNC_TRIGGER_START);
  EXPECT_EQ(session.peer(), "fake");
  EXPECT_TRUE(catalog_.Read().CurrentRevision(UpdateIdOf("a")).ok());
}

TEST_F(SourceSyncTest, ImportsWhenAskedAndNotBefore) {
  Begin(false);
  v1::StartSyncRequest request;
  request.set_source("fake");
  const auto response = sync_->StartSync(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->queued());
  EXPECT_EQ(WaitForSessions(1)[0].trigger(), v1::SYNC_TRIGGER_OPERATOR);
  EXPECT_EQ(source_->readings(), 1);
}

TEST_F(SourceSyncTest, NamesTheSourcesWhenOneIsUnknown) {
  Begin(false);
  v1::StartSyncRequest request;
  request.set_source("absent");
  const absl::Status status = sync_->StartSync(request).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("fake"));
}

TEST_F(SourceSyncTest, HasNothingToStartWithoutSources) {
  SourceSync none({}, *catalog_, clock_, log_);
  EXPECT_EQ(ReasonOf(none.StartSync({}).status()), v1::REASON_NO_UPSTREAM);
}

TEST_F(SourceSyncTest, PlansARetryWhenTheSourceIsUnavailable) {
  times_a_day_ = 1;
  Begin(false);
  EXPECT_EQ(sync_->GetSchedule().next_trigger(), v1::SYNC_TRIGGER_SCHEDULE);
  source_->Fail(MakeError(v1::REASON_SOURCE_UNAVAILABLE, "no route"));
  ASSERT_TRUE(sync_->StartSync({}).ok());
  EXPECT_EQ(WaitForSessions(1)[0].outcome(), v1::SYNC_OUTCOME_FAILED);
  sync_->Stop();
  const v1::GetScheduleResponse schedule = sync_->GetSchedule();
  EXPECT_EQ(schedule.next_trigger(), v1::SYNC_TRIGGER_RETRY);
  EXPECT_EQ(schedule.next_at().seconds(), absl::ToUnixSeconds(clock_.Now()) + 15 * 60);
}

TEST_F(SourceSyncTest, ClosesWhatAnEarlierProcessLeftRunning) {
  v1::Session session;
  session.set_session_id(Uuid::Random().ToString());
  session.set_outcome(v1::SYNC_OUTCOME_RUNNING);
  CatalogChange change;
  change.PutRow(Family::kSessions, *SessionRowKey(session.session_id()), session);
  catalog_.Commit(change);
  Begin(false);
  EXPECT_EQ(WaitForSessions(1)[0].outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
}

TEST_F(SourceSyncTest, CancelsNothingWhenNothingRuns) {
  Begin(false);
  EXPECT_FALSE(sync_->CancelSync().cancelled());
}

}  // namespace
}  // namespace sluice
