// Files and reports, which go on beside the catalog.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

v1::ContentAnswer Answer(const std::string& bytes, v1::ContentState state) {
  v1::ContentAnswer answer;
  answer.set_digest(Digest::Of(bytes).bytes());
  answer.set_state(state);
  if (state == v1::CONTENT_STATE_FAILED) {
    answer.mutable_status()->set_reason("CONTENT_SOURCE_GONE");
    answer.mutable_status()->set_message("the archive no longer has it");
  }
  return answer;
}

v1::RequestResponse Answers(const v1::ContentAnswer& answer) {
  v1::RequestResponse response;
  *response.add_answers() = answer;
  return response;
}

TEST(SyncEngineContentTest, FetchesFilesOfApprovedUpdatesAndNoOthers) {
  EngineBench bench;
  for (const std::string name : {"approved", "declined", "undecided"}) {
    bench.upstream().AddUpdate({.name = name, .contents = {name}});
    bench.OfferFile(name);
  }
  bench.upstream().Approve("approved");
  bench.upstream().Approve("declined");
  bench.upstream().Decline("declined");
  bench.Start();
  EXPECT_EQ(bench.files, std::set<Digest>{Digest::Of("approved")});
  EXPECT_EQ(bench.LastSession().counts().files(), 1);
  bench.upstream().ClearDecline("declined");
  bench.Run();
  EXPECT_THAT(bench.files, SizeIs(2));
}

TEST(SyncEngineContentTest, FetchesOnlyFilesForTheLanguagesOfItsSubscription) {
  EngineBench bench;
  v1::Subscription subscription;
  subscription.add_languages("de");
  bench.Subscribe(subscription);
  bench.upstream().AddUpdate({.name = "g", .contents = {"german"}, .languages = {"de"}});
  bench.upstream().AddUpdate({.name = "f", .contents = {"french"}, .languages = {"fr"}});
  bench.upstream().Approve("g");
  bench.upstream().Approve("f");
  bench.OfferFile("german");
  bench.OfferFile("french");
  bench.Start();
  EXPECT_EQ(bench.files, std::set<Digest>{Digest::Of("german")});
}

TEST(SyncEngineContentTest, FetchesEachFileOnceAndNotMoreAtATimeThanAllowed) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"1", "2", "3", "4", "5", "6"}});
  bench.upstream().AddUpdate({.name = "b", .contents = {"1", "2"}});
  bench.upstream().Approve("a");
  bench.upstream().Approve("b");
  std::vector<FetchFile> open;
  bench.intercept = [&open](const EngineAction& action) {
    const auto* const fetch = std::get_if<FetchFile>(&action);
    if (fetch != nullptr) open.push_back(*fetch);
    return fetch != nullptr;
  };
  bench.Start();
  EXPECT_THAT(open, SizeIs(4));
  for (size_t i = 0; i < open.size(); ++i) {
    const ContentInfo file = open[i].file;
    bench.files.insert(file.digest);
    bench.Tell(FileFetched{file.digest, absl::OkStatus(), file.size_bytes});
    EXPECT_LE(open.size(), i + 1 + 4);
  }
  EXPECT_THAT(open, SizeIs(6));
  EXPECT_EQ(bench.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

TEST(SyncEngineContentTest, AppliesTheCatalogWhileFilesAreOnTheirWay) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"slow"}});
  bench.upstream().Approve("a");
  bench.intercept = [](const EngineAction& action) {
    return std::holds_alternative<FetchFile>(action);
  };
  bench.Start();
  bench.upstream().AddUpdate({.name = "b"});
  bench.Run();
  EXPECT_TRUE(bench.Has("b"));
}

TEST(SyncEngineContentTest, RequestsWhatTheUpstreamDoesNotHaveYetAndFetchesItWhenItIsReady) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"late"}});
  bench.upstream().Approve("a");
  bench.Start();
  ASSERT_EQ(bench.Count<CallRequestContent>(), 1U);
  const CallRequestContent request = bench.All<CallRequestContent>()[0];
  EXPECT_EQ(request.request.max_wait().seconds(), 20);
  EXPECT_EQ(request.request.digests(0), Digest::Of("late").bytes());
  // The session does not wait for it.
  EXPECT_FALSE(bench.engine().session_running());
  bench.OfferFile("late");
  bench.Tell(ContentAnswered{request.call, Answers(Answer("late", v1::CONTENT_STATE_READY))});
  bench.Advance(absl::Seconds(1));
  EXPECT_TRUE(bench.files.contains(Digest::Of("late")));
}

TEST(SyncEngineContentTest, AsksAgainWhenARequestRunsOut) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"late"}});
  bench.upstream().Approve("a");
  bench.Start();
  const CallRequestContent request = bench.All<CallRequestContent>()[0];
  bench.Advance(absl::Seconds(20));
  EXPECT_EQ(bench.Count<CallRequestContent>(), 1U);  // One at a time.
  bench.Tell(ContentAnswered{request.call, Answers(Answer("late", v1::CONTENT_STATE_QUEUED))});
  bench.Advance(absl::Seconds(1));
  EXPECT_EQ(bench.Count<CallRequestContent>(), 2U);
}

// A file that was no longer wanted while its request was open made the engine ask for a timer in
// the past, over and over.
TEST(SyncEngineContentTest, WaitsForAnOpenRequestThoughItsFileIsNoLongerWanted) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"late a"}});
  bench.upstream().Approve("a");
  bench.Start();
  bench.upstream().AddUpdate({.name = "b", .contents = {"late b"}});
  bench.upstream().Approve("b");
  bench.upstream().Decline("a");
  bench.Run();
  const size_t timers = bench.Count<SetTimer>();
  bench.Advance(absl::Seconds(20));
  EXPECT_LT(bench.Count<SetTimer>(), timers + 5);
  bench.Tell(ContentAnswered{bench.All<CallRequestContent>()[0].call, v1::RequestResponse()});
  ASSERT_EQ(bench.Count<CallRequestContent>(), 2U);
  EXPECT_EQ(bench.All<CallRequestContent>()[1].request.digests(0), Digest::Of("late b").bytes());
}

TEST(SyncEngineContentTest, KeepsTheWordsOfTheNodeWhereAFileFailedAndTriesAgainLater) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"gone"}});
  bench.upstream().Approve("a");
  bench.Start();
  const CallRequestContent request = bench.All<CallRequestContent>()[0];
  bench.Tell(ContentAnswered{request.call, Answers(Answer("gone", v1::CONTENT_STATE_FAILED))});
  const auto row = bench.catalog().Read().GetRow<stored::v1::ContentRow>(
      Family::kContent, Digest::Of("gone").bytes());
  ASSERT_TRUE(row.ok());
  EXPECT_EQ(row->last_failure().message(), "the archive no longer has it");
  EXPECT_EQ(bench.Count<CallRequestContent>(), 1U);
  bench.Advance(absl::Minutes(1));
  EXPECT_GE(bench.Count<CallRequestContent>(), 2U);
}

// A file that nobody has made every node up to the root report, each few minutes and for ever.
TEST(SyncEngineContentTest, HasNothingToSayWhenAFileFailsAgainAsBefore) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"gone"}});
  bench.upstream().Approve("a");
  bench.intercept = [&bench](const EngineAction& action) {
    const auto* const request = std::get_if<CallRequestContent>(&action);
    if (request == nullptr) return false;
    const v1::RequestResponse response = Answers(Answer("gone", v1::CONTENT_STATE_FAILED));
    bench.TakeLater(ContentAnswered{request->call, response});
    return true;
  };
  bench.Start();
  bench.Advance(absl::Seconds(1));
  const size_t asked = bench.Count<CallRequestContent>();
  const size_t reported = bench.Count<CallReport>();
  const auto row_of = [&bench] {
    return bench.catalog().Read().GetRow<stored::v1::ContentRow>(Family::kContent,
                                                                 Digest::Of("gone").bytes());
  };
  const stored::v1::ContentRow row = row_of().value();
  bench.Advance(absl::Minutes(30));
  EXPECT_GT(bench.Count<CallRequestContent>(), asked + 5);
  EXPECT_EQ(bench.Count<CallReport>(), reported);
  // It failed since then.
  EXPECT_EQ(row_of()->changed_at().SerializeAsString(), row.changed_at().SerializeAsString());
}

TEST(SyncEngineContentTest, FetchesAgainWhatArrivedCorrupt) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"file"}});
  bench.upstream().Approve("a");
  bench.OfferFile("file");
  int corrupt = 2;
  bench.intercept = [&bench, &corrupt](const EngineAction& action) {
    const auto* const fetch = std::get_if<FetchFile>(&action);
    if (fetch == nullptr || corrupt == 0) return false;
    --corrupt;
    bench.TakeLater(FileFetched{fetch->file.digest, MakeError(v1::REASON_CONTENT_CORRUPT, "bad")});
    return true;
  };
  bench.Start();
  bench.Advance(absl::Minutes(1));
  EXPECT_TRUE(bench.files.contains(Digest::Of("file")));
  EXPECT_EQ(bench.Count<FetchFile>(), 3U);
}

TEST(SyncEngineContentTest, FetchesWhatANodeBelowWantsAndSaysWhereItStands) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"undecided here"}});
  bench.OfferFile("undecided here");
  bench.Start();
  EXPECT_THAT(bench.files, IsEmpty());
  bench.Tell(ContentWanted{Digest::Of("undecided here")});
  EXPECT_THAT(bench.files, SizeIs(1));
  EXPECT_EQ(bench.All<ContentChanged>().back().answer.state(), v1::CONTENT_STATE_READY);
  bench.Tell(ContentWanted{Digest::Of("nobody names it")});
  EXPECT_EQ(bench.All<ContentChanged>().back().answer.state(), v1::CONTENT_STATE_FAILED);
  EXPECT_EQ(bench.All<ContentChanged>().back().answer.status().reason(), "ITEM_NOT_FOUND");
}

TEST(SyncEngineContentTest, FetchesWhatANodeBelowWantedBeforeAnUpdateHereNamedIt) {
  EngineBench bench;
  bench.OfferFile("late");
  bench.Start();
  bench.Tell(ContentWanted{Digest::Of("late")});
  EXPECT_EQ(bench.All<ContentChanged>().back().answer.state(), v1::CONTENT_STATE_FAILED);
  bench.upstream().AddUpdate({.name = "a", .contents = {"late"}});
  bench.Run();
  EXPECT_TRUE(bench.files.contains(Digest::Of("late")));
  EXPECT_EQ(bench.All<ContentChanged>().back().answer.state(), v1::CONTENT_STATE_READY);
}

TEST(SyncEngineContentTest, FetchesAFileAnewThatWasFoundWrong) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"file"}});
  bench.upstream().Approve("a");
  bench.OfferFile("file");
  bench.Start();
  bench.files.clear();
  bench.Tell(ContentLost{Digest::Of("file")});
  EXPECT_THAT(bench.files, SizeIs(1));
}

TEST(SyncEngineContentTest, FetchesTheFilesOfANewRevisionOfAPrerequisite) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "base", .title = "base 1", .contents = {"one"}});
  bench.upstream().AddUpdate({.name = "a", .contents = {"a"}, .prerequisites = {"base"}});
  bench.upstream().Approve("a");
  for (const std::string bytes : {"one", "two", "a"}) bench.OfferFile(bytes);
  bench.Start();
  EXPECT_THAT(bench.files, SizeIs(2));
  bench.upstream().AddUpdate({.name = "base", .title = "base 2", .contents = {"two"}});
  bench.Run();
  EXPECT_TRUE(bench.files.contains(Digest::Of("two")));
}

TEST(SyncEngineReportTest, ReportsAfterASessionWithItsCounts) {
  EngineBench bench;
  bench.upstream().AddUpdate({.name = "a", .contents = {"late"}});
  bench.upstream().Approve("a");
  bench.Start();
  bench.Advance(absl::Seconds(1));
  ASSERT_GE(bench.Count<CallReport>(), 1U);
  const v1::NodeStatus status = bench.All<CallReport>().back().request.nodes(0);
  EXPECT_EQ(status.node_id(), bench.catalog().node_id().bytes());
  EXPECT_EQ(status.updates(), 1);
  EXPECT_EQ(status.approved_updates(), 1);
  EXPECT_EQ(status.files_missing(), 1);
  EXPECT_EQ(status.cursor().seq(), bench.Cursor().seq());
  const auto row = bench.upstream().Read().GetRow<v1::TreeNode>(Family::kNodes,
                                                                bench.catalog().node_id().view());
  EXPECT_TRUE(row.ok());
}

TEST(SyncEngineReportTest, SendsOneReportAtATimeAndSpacesThem) {
  EngineBench bench;
  bench.Start();
  bench.Advance(absl::Seconds(1));
  std::vector<CallReport> held;
  bench.intercept = [&held](const EngineAction& action) {
    const auto* const report = std::get_if<CallReport>(&action);
    if (report != nullptr) held.push_back(*report);
    return report != nullptr;
  };
  for (int i = 0; i < 10; ++i) bench.Tell(ReportDue{});
  bench.Advance(absl::Seconds(5));
  ASSERT_THAT(held, SizeIs(1));
  bench.Tell(ReportAnswered{held[0].call, absl::OkStatus()});
  for (int i = 0; i < 10; ++i) bench.Tell(ReportDue{});
  ASSERT_THAT(held, SizeIs(2));  // All of them in one.
  bench.Tell(ReportAnswered{held[1].call, absl::OkStatus()});
  bench.Tell(ReportDue{});
  EXPECT_THAT(held, SizeIs(2));  // Not within 200 ms.
  bench.Advance(absl::Milliseconds(200));
  EXPECT_THAT(held, SizeIs(3));
}

TEST(SyncEngineReportTest, RepeatsAReportThatWasLost) {
  EngineBench bench;
  bool lost = false;
  bench.intercept = [&bench, &lost](const EngineAction& action) {
    const auto* const report = std::get_if<CallReport>(&action);
    if (report == nullptr || std::exchange(lost, true)) return false;
    bench.TakeLater(ReportAnswered{report->call, absl::UnavailableError("lost")});
    return true;
  };
  bench.Start();
  EXPECT_EQ(bench.Count<CallReport>(), 1U);
  bench.Advance(absl::Minutes(1));
  EXPECT_EQ(bench.Count<CallReport>(), 2U);
}

TEST(SyncEngineReportTest, PassesOnTheNodesBelow) {
  EngineBench bench;
  bench.Start();
  v1::TreeNode below;
  below.mutable_status()->set_node_id(Uuid::Random().bytes());
  CatalogChange change;
  change.PutRow(Family::kNodes, below.status().node_id(), below);
  ASSERT_TRUE(bench.catalog().Commit(change).ok());
  bench.Advance(absl::Seconds(1));
  bench.Tell(ReportDue{});
  bench.Advance(absl::Seconds(1));
  const v1::ReportRequest report = bench.All<CallReport>().back().request;
  ASSERT_EQ(report.nodes_size(), 2);
  EXPECT_EQ(report.nodes(1).node_id(), below.status().node_id());
}

}  // namespace
}  // namespace sluice
