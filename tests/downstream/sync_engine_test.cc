// Sessions: how they begin and end, what is tried again and when.
#include "downstream/sync_engine.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

SyncEngineOptions OnSchedule() {
  SyncEngineOptions options = EngineBench::Options();
  options.watch = false;
  options.schedule.times_a_day = 24;
  options.schedule.first_at = absl::Hours(0);
  options.schedule.jitter = absl::ZeroDuration();
  return options;
}

// The upstream answers no greeting from now on.
void CutOff(EngineBench& bench) {
  bench.intercept = [&bench](const EngineAction& action) {
    const auto* const hello = std::get_if<CallHello>(&action);
    if (hello == nullptr) return false;
    bench.TakeLater(HelloAnswered{
        hello->call, MakeError(v1::REASON_UPSTREAM_CONNECT, "connecting to hq:8531: refused")});
    return true;
  };
}

void Reconnect(EngineBench& bench) {
  bench.intercept = [](const EngineAction&) { return false; };
}

TEST(SyncEngineTest, BeginsWithASessionOfItsOwnWhenTheProcessStarts) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.Start();
  ASSERT_THAT(bench.Sessions(), SizeIs(1));
  const v1::Session session = bench.LastSession();
  EXPECT_EQ(session.trigger(), v1::SYNC_TRIGGER_START);
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(session.method(), v1::SYNC_METHOD_TAIL);
  EXPECT_EQ(session.counts().revisions(), 1);
  EXPECT_EQ(session.to_seq(), (*bench.upstream()).durable_head());
  EXPECT_TRUE(bench.Has("a"));
}

TEST(SyncEngineTest, MakesNoCallWhileNothingHappensUnderAnOpenWatch) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.Start();
  bench.Advance(absl::Seconds(1));  // The report of the first session.
  const int64_t calls = bench.calls();
  bench.Advance(absl::Seconds(60));
  EXPECT_EQ(bench.calls(), calls);
  EXPECT_TRUE(bench.engine().watching());
}

TEST(SyncEngineTest, SaysThatNothingChangedWithoutAskingForChanges) {
  EngineBench bench(OnSchedule());
  bench.upstream().AddUpdate({.name = "a"});
  bench.Start();
  const size_t streams = bench.Count<OpenChanges>();
  bench.Tell(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
  EXPECT_EQ(bench.Count<OpenChanges>(), streams);
  EXPECT_EQ(bench.LastSession().method(), v1::SYNC_METHOD_NONE);
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

TEST(SyncEngineTest, RefusesAnUpstreamThatIsBelowThisNode) {
  EngineBench bench;
  bench.intercept = [&bench](const EngineAction& action) {
    const auto* const hello = std::get_if<CallHello>(&action);
    if (hello == nullptr) return false;
    v1::HelloResponse response;
    response.set_node_id(Uuid::Random().bytes());
    response.add_ancestors(bench.catalog().node_id().bytes());
    bench.TakeLater(HelloAnswered{hello->call, response});
    return true;
  };
  bench.Start();
  const v1::Session session = bench.LastSession();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_FAILED);
  ASSERT_THAT(session.errors(), SizeIs(1));
  EXPECT_EQ(session.errors(0).reason(), "LOOP");
  EXPECT_FALSE(session.errors(0).remedy().empty());
  EXPECT_EQ(bench.Count<OpenChanges>(), 0U);
}

TEST(SyncEngineTest, MarksSessionsThatTheLastProcessLeftRunningAsInterrupted) {
  EngineBench bench;
  bench.intercept = [](const EngineAction& action) {
    return std::holds_alternative<CallHello>(action);  // No answer ever comes.
  };
  bench.Start();
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_RUNNING);
  Reconnect(bench);
  bench.Advance(absl::Seconds(1));
  bench.Restart();
  ASSERT_THAT(bench.Sessions(), SizeIs(2));
  EXPECT_EQ(bench.Sessions()[0].outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
  EXPECT_EQ(bench.Sessions()[1].outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

TEST(SyncEngineTest, RunsExactlyOnceMoreAfterTriggersDuringARun) {
  EngineBench bench(OnSchedule());
  std::optional<CallHello> held;
  bench.intercept = [&held](const EngineAction& action) {
    const auto* const hello = std::get_if<CallHello>(&action);
    if (hello == nullptr || held.has_value()) return false;
    held = *hello;
    return true;
  };
  bench.Start();
  bench.Tell(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
  bench.Tell(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
  EXPECT_THAT(bench.Sessions(), SizeIs(1));
  bench.Tell(HelloAnswered{held->call, MakeError(v1::REASON_UPSTREAM_CONNECT, "refused")});
  bench.Advance(absl::Seconds(5));
  ASSERT_THAT(bench.Sessions(), SizeIs(2));
  EXPECT_EQ(bench.LastSession().trigger(), v1::SYNC_TRIGGER_OPERATOR);
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

TEST(SyncEngineTest, StopsWhenCancelledAndIgnoresAnswersThatComeLate) {
  EngineBench bench(OnSchedule());
  bench.upstream().AddUpdate({.name = "a"});
  std::optional<CallHello> held;
  bench.intercept = [&held](const EngineAction& action) {
    const auto* const hello = std::get_if<CallHello>(&action);
    if (hello == nullptr) return false;
    held = *hello;
    return true;
  };
  bench.Start();
  bench.Tell(SyncCancelled{});
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_CANCELLED);
  bench.Tell(HelloAnswered{held->call, bench.AnswerHello(held->request)});
  EXPECT_EQ(bench.Count<OpenChanges>(), 0U);
  EXPECT_FALSE(bench.engine().session_running());
  EXPECT_EQ(bench.engine().next_trigger(), v1::SYNC_TRIGGER_SCHEDULE);
}

TEST(SyncEngineTest, TriesTwiceMoreAQuarterOfAnHourApartAndThenAtTheNextScheduledTime) {
  SyncEngineOptions options = OnSchedule();
  options.schedule.times_a_day = 4;
  EngineBench bench(options);
  CutOff(bench);
  bench.Start();
  EXPECT_EQ(bench.engine().next_sync(), bench.now() + absl::Minutes(15));
  EXPECT_EQ(bench.engine().next_trigger(), v1::SYNC_TRIGGER_RETRY);
  bench.Advance(absl::Minutes(15));
  EXPECT_GT(bench.engine().next_sync(), bench.now() + absl::Minutes(14));
  EXPECT_EQ(bench.engine().next_trigger(), v1::SYNC_TRIGGER_RETRY);
  bench.Advance(absl::Minutes(15) + absl::Seconds(1));
  EXPECT_EQ(bench.Count<CallHello>(), 3U);
  EXPECT_GT(bench.engine().next_sync(), bench.now() + absl::Minutes(16));
  EXPECT_EQ(bench.engine().next_trigger(), v1::SYNC_TRIGGER_SCHEDULE);
  // The attempts are one session.
  ASSERT_THAT(bench.Sessions(), SizeIs(1));
  EXPECT_EQ(bench.LastSession().attempt(), 3);
  EXPECT_EQ(bench.LastSession().errors(0).reason(), "UPSTREAM_CONNECT");
  EXPECT_THAT(bench.LastSession().errors(0).message(), HasSubstr("hq:8531"));
}

TEST(SyncEngineTest, DoesNotRepeatWhatTryingAgainCannotHelp) {
  SyncEngineOptions options = OnSchedule();
  EngineBench bench(options);
  bench.intercept = [&bench](const EngineAction& action) {
    const auto* const hello = std::get_if<CallHello>(&action);
    if (hello == nullptr) return false;
    bench.TakeLater(HelloAnswered{hello->call, MakeError(v1::REASON_TOO_DEEP, "nine levels")});
    return true;
  };
  bench.Start();
  EXPECT_EQ(bench.engine().next_trigger(), v1::SYNC_TRIGGER_SCHEDULE);
}

TEST(SyncEngineTest, ReconnectsABrokenWatchLaterAndLaterAndGoesOnFromItsCursor) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.Start();
  CutOff(bench);
  bench.CutChanges();
  absl::Duration longest;
  for (int attempt = 0; attempt < 20; ++attempt) {
    const absl::Duration wait = bench.engine().next_sync() - bench.now();
    EXPECT_GE(wait, absl::Milliseconds(500));
    EXPECT_LE(wait, absl::Minutes(2));
    longest = std::max(longest, wait);
    bench.Advance(wait);
  }
  EXPECT_GE(longest, absl::Minutes(1));
  bench.upstream().AddUpdate({.name = "b"});
  Reconnect(bench);
  bench.Advance(absl::Minutes(2));
  EXPECT_TRUE(bench.engine().watching());
  EXPECT_TRUE(bench.Has("b"));
  EXPECT_EQ(bench.LastSession().method(), v1::SYNC_METHOD_TAIL);
  EXPECT_EQ(bench.LastSession().counts().revisions(), 1);
}

TEST(SyncEngineTest, RecordsABurstOverTheWatchAsOneSession) {
  EngineBench bench;
  bench.Start();
  bench.upstream().AddUpdate({.name = "a"});
  bench.upstream().AddUpdate({.name = "b"});
  bench.Run();
  ASSERT_THAT(bench.Sessions(), SizeIs(2));
  EXPECT_EQ(bench.LastSession().trigger(), v1::SYNC_TRIGGER_WATCH);
  EXPECT_EQ(bench.LastSession().counts().revisions(), 2);
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(bench.Count<CallHello>(), 1U);
}

TEST(SyncEngineTest, RefusesToFollowItself) {
  EngineBench bench;
  bench.intercept = [&bench](const EngineAction& action) {
    const auto* const hello = std::get_if<CallHello>(&action);
    if (hello == nullptr) return false;
    v1::HelloResponse response;
    response.set_node_id(bench.catalog().node_id().bytes());
    bench.TakeLater(HelloAnswered{hello->call, response});
    return true;
  };
  bench.Start();
  ASSERT_THAT(bench.LastSession().errors(), SizeIs(1));
  EXPECT_EQ(bench.LastSession().errors(0).reason(), "LOOP");
}

// The engine asked for a timer in the past, over and over, until the file was there.
TEST(SyncEngineTest, RunsOnceMoreWhenItsTimeComesDuringASessionThatCameOverTheWatch) {
  SyncEngineOptions options = OnSchedule();
  options.watch = true;
  EngineBench bench(options);
  bench.Start();
  std::optional<FetchFile> fetch;
  bench.intercept = [&fetch](const EngineAction& action) {
    const auto* const file = std::get_if<FetchFile>(&action);
    if (file != nullptr) fetch = *file;
    return file != nullptr;
  };
  bench.upstream().AddUpdate({.name = "a", .contents = {"slow"}});
  bench.upstream().Approve("a");
  bench.Run();
  ASSERT_TRUE(bench.engine().session_running());
  const size_t timers = bench.Count<SetTimer>();
  bench.Advance(absl::Hours(3));
  EXPECT_LT(bench.Count<SetTimer>(), timers + 10);
  EXPECT_EQ(bench.LastSession().trigger(), v1::SYNC_TRIGGER_WATCH);
  ASSERT_TRUE(fetch.has_value());
  bench.files.insert(fetch->file.digest);
  bench.Tell(FileFetched{fetch->file.digest, absl::OkStatus(), fetch->file.size_bytes});
  bench.Advance(absl::Seconds(1));
  EXPECT_EQ(bench.LastSession().trigger(), v1::SYNC_TRIGGER_SCHEDULE);
  EXPECT_EQ(bench.Count<CallHello>(), 2U);
}

TEST(SyncEngineTest, EndsASessionWhenTheStoreFailsAndRecoversWithTheNextProcess) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a"});
  bench.store().FailWritesFrom(4);
  bench.Start();
  EXPECT_FALSE(bench.engine().session_running());
  bench.Restart();
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_TRUE(bench.Has("a"));
}

}  // namespace
}  // namespace sluice
