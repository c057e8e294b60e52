// `sync`, `content verify`, `condition list`, `audit list`, `update publish`.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "common/digest.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

v1::WatchSyncResponse SyncEvent(v1::SyncPhase phase, v1::SyncOutcome outcome) {
  v1::WatchSyncResponse event;
  v1::Session& session = *event.mutable_session();
  session.set_session_id("s1");
  session.set_peer("hq:8531");
  session.set_phase(phase);
  session.set_outcome(outcome);
  session.mutable_started_at()->set_seconds(1795500000);
  if (outcome != v1::SYNC_OUTCOME_RUNNING) {
    session.mutable_ended_at()->set_seconds(1795500003);
    session.mutable_counts()->set_revisions(3);
  }
  event.set_phase_total(4);
  event.set_phase_done(1);
  return event;
}

class SyncVerbsTest : public CliTest {
 protected:
  // Sessions as GetSession answers them, one after another; the last one again and again.
  void SetSessions(std::vector<v1::Session> sessions) {
    node_.On<v1::GetSessionRequest, v1::GetSessionResponse>(
        "sluice.v1.SyncService/GetSession",
        [sessions, next = size_t{0}](const v1::GetSessionRequest&) mutable {
          v1::GetSessionResponse response;
          *response.mutable_session() = sessions[std::min(next++, sessions.size() - 1)];
          return std::vector<v1::GetSessionResponse>{response};
        });
  }
  void SetEvents(std::vector<v1::WatchSyncResponse> events) {
    node_.Answer<v1::WatchSyncRequest, v1::WatchSyncResponse>("sluice.v1.SyncService/WatchSync",
                                                              events);
  }
  void SetStarted() {
    v1::StartSyncResponse response;
    response.set_session_id("s1");
    node_.Answer<v1::StartSyncRequest, v1::StartSyncResponse>("sluice.v1.SyncService/StartSync",
                                                              {response});
    SetLists({{Newest("s0", "hq:8531", v1::SYNC_OUTCOME_SUCCEEDED)}});
  }
  void SetQueued(const std::vector<std::string>& sources) {
    v1::StartSyncResponse queued;
    queued.set_queued(true);
    queued.mutable_sources()->Add(sources.begin(), sources.end());
    node_.Answer<v1::StartSyncRequest, v1::StartSyncResponse>("sluice.v1.SyncService/StartSync",
                                                              {queued});
  }
  static v1::Session Newest(const std::string& id, const std::string& peer,
                            v1::SyncOutcome outcome) {
    v1::Session session = SyncEvent(v1::SYNC_PHASE_REPORT, outcome).session();
    session.set_session_id(id);
    session.set_peer(peer);
    return session;
  }
  // Answers one list of sessions after the other, and at last with the last.
  void SetLists(std::vector<std::vector<v1::Session>> lists) {
    auto next = std::make_shared<size_t>(0);
    node_.On<v1::ListSessionsRequest, v1::ListSessionsResponse>(
        "sluice.v1.SyncService/ListSessions", [lists, next](const v1::ListSessionsRequest&) {
          v1::ListSessionsResponse response;
          const auto& list = lists[std::min((*next)++, lists.size() - 1)];
          response.mutable_sessions()->Add(list.begin(), list.end());
          return std::vector<v1::ListSessionsResponse>{response};
        });
  }

  const v1::WatchSyncResponse running_ =
      SyncEvent(v1::SYNC_PHASE_CONTENT, v1::SYNC_OUTCOME_RUNNING);
  const v1::WatchSyncResponse succeeded_ =
      SyncEvent(v1::SYNC_PHASE_REPORT, v1::SYNC_OUTCOME_SUCCEEDED);
  const v1::WatchSyncResponse partial_ = SyncEvent(v1::SYNC_PHASE_REPORT, v1::SYNC_OUTCOME_PARTIAL);
};

TEST_F(SyncVerbsTest, StartSaysWhatItStarted) {
  SetStarted();
  EXPECT_EQ(Run({"sync", "start", "bookworm"}), 0);
  EXPECT_EQ(out_, "started s1\n");
  EXPECT_THAT(node_.calls()[0], HasSubstr("{\"source\":\"bookworm\"}"));
}

TEST_F(SyncVerbsTest, StartWithDryRunCallsNothing) {
  EXPECT_EQ(Run({"sync", "start", "--dry-run"}), 0);
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(SyncVerbsTest, StartAndWaitEndsWithTheSession) {
  SetStarted();
  SetSessions({running_.session(), succeeded_.session()});
  SetEvents({running_, succeeded_});
  EXPECT_EQ(Run({"sync", "start", "--wait"}), 0);
  EXPECT_EQ(out_, "s1 succeeded after 3 s: 3 records\n");
  EXPECT_EQ(err_, "s1 content 1/4, hq:8531: 0 records\n");
}

TEST_F(SyncVerbsTest, StartAndWaitSeesASessionThatEndedUnwatched) {
  SetStarted();
  SetSessions({partial_.session()});
  EXPECT_EQ(Run({"sync", "start", "--wait"}), 1);
  EXPECT_THAT(out_, HasSubstr("s1 partial after 3 s"));
}

TEST_F(SyncVerbsTest, StartAndWaitWatchesAgainWhenAWatchRunsOut) {
  SetStarted();
  SetSessions({running_.session(), running_.session(), succeeded_.session()});
  node_.Fail<v1::WatchSyncRequest>("sluice.v1.SyncService/WatchSync",
                                   absl::DeadlineExceededError("2 s"));
  EXPECT_EQ(Run({"sync", "start", "--wait"}), 0);
  EXPECT_THAT(node_.calls(), SizeIs(7));
}

TEST_F(SyncVerbsTest, StartAndWaitTakesTheSessionThatBeginsLater) {
  SetQueued({});
  SetLists({{Newest("s0", "hq:8531", v1::SYNC_OUTCOME_SUCCEEDED)},
            {Newest("s0", "hq:8531", v1::SYNC_OUTCOME_SUCCEEDED)},
            {Newest("s1", "hq:8531", v1::SYNC_OUTCOME_RUNNING)},
            {Newest("s1", "hq:8531", v1::SYNC_OUTCOME_PARTIAL)}});
  SetEvents({});
  EXPECT_EQ(Run({"sync", "start", "--wait"}), 1);
  EXPECT_THAT(out_, HasSubstr("s1 partial"));
  EXPECT_THAT(out_, Not(HasSubstr("s0")));
}

TEST_F(SyncVerbsTest, StartAndWaitWaitsForEverySource) {
  SetQueued({"debian", "in-house"});
  const v1::Session failed = Newest("s1", "debian", v1::SYNC_OUTCOME_FAILED);
  SetLists({{Newest("s0", "in-house", v1::SYNC_OUTCOME_SUCCEEDED)},
            {failed},
            {Newest("s2", "another", v1::SYNC_OUTCOME_SUCCEEDED), failed},
            {Newest("s3", "in-house", v1::SYNC_OUTCOME_SUCCEEDED), failed}});
  SetEvents({});
  EXPECT_EQ(Run({"sync", "start", "--wait"}), 1);
  EXPECT_THAT(out_, AllOf(HasSubstr("s1 failed"), HasSubstr("s3 succeeded")));
  EXPECT_THAT(out_, Not(HasSubstr("s2")));
}

TEST_F(SyncVerbsTest, StartAndWaitGivesUpOnASessionThatNeverBegins) {
  SetQueued({});
  SetLists({{Newest("s0", "hq:8531", v1::SYNC_OUTCOME_SUCCEEDED)}});
  SetEvents({});
  EXPECT_EQ(Run({"sync", "start", "--wait"}), 64 + 14);
}

TEST_F(SyncVerbsTest, WatchOnceEndsWithTheFirstSession) {
  SetEvents({running_, partial_, running_});
  EXPECT_EQ(Run({"sync", "watch", "--once"}), 1);
  EXPECT_THAT(out_, HasSubstr("partial"));
}

TEST_F(SyncVerbsTest, WatchDrawsOneLineOnATerminalOnly) {
  SetEvents({running_, succeeded_});
  is_terminal_ = true;
  EXPECT_EQ(Run({"sync", "watch"}), 0);
  EXPECT_EQ(err_, "\r\x1b[Kcontent 1/4, hq:8531: 0 records\r\x1b[K");
  EXPECT_EQ(Run({"sync", "watch", "-o", "json"}), 0);
  EXPECT_EQ(err_, "");
  EXPECT_THAT(out_, HasSubstr("\"phaseDone\":\"1\"}\n{\"session\":"));
}

TEST_F(SyncVerbsTest, ListAndGetShowSessions) {
  v1::ListSessionsResponse list;
  *list.add_sessions() = partial_.session();
  *list.add_sessions() = succeeded_.session();
  node_.Answer<v1::ListSessionsRequest, v1::ListSessionsResponse>(
      "sluice.v1.SyncService/ListSessions", {list});
  EXPECT_EQ(Run({"sync", "list", "--limit", "1"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("s1       2026-11-24 06:00:00"), HasSubstr("partial")));
  v1::Session session = partial_.session();
  v1::SyncItem& item = *session.add_items();
  item.set_item("file 9e10");
  item.mutable_status()->set_reason("CONTENT_SOURCE_GONE");
  session.set_items_failed(2);
  v1::SyncError& error = *session.add_errors();
  error.set_reason("UPSTREAM_CONNECT");
  error.set_message("connecting to hq");
  error.set_remedy("Start it.");
  SetSessions({session});
  EXPECT_EQ(Run({"sync", "get", "s1"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("file 9e10  CONTENT_SOURCE_GONE"), HasSubstr("and 1 more"),
                          HasSubstr("error: connecting to hq (UPSTREAM_CONNECT)"),
                          HasSubstr("  remedy: Start it."), HasSubstr("revisions      3")));
}

TEST_F(SyncVerbsTest, ScheduleSaysWhenAndWhy) {
  v1::GetScheduleResponse response;
  response.mutable_next_at()->set_seconds(1795500000 + 3600);
  response.set_next_trigger(v1::SYNC_TRIGGER_RETRY);
  response.set_attempt(2);
  node_.Answer<v1::GetScheduleRequest, v1::GetScheduleResponse>("sluice.v1.SyncService/GetSchedule",
                                                                {response});
  EXPECT_EQ(Run({"sync", "schedule"}), 0);
  EXPECT_EQ(out_, "next:     2026-11-24 07:00:00, in 1 h (retry)\nwatching: no\nattempt:  2\n");
}

TEST_F(SyncVerbsTest, CancelSaysWhetherSomethingRan) {
  node_.Answer<v1::CancelSyncRequest, v1::CancelSyncResponse>("sluice.v1.SyncService/CancelSync",
                                                              {v1::CancelSyncResponse()});
  EXPECT_EQ(Run({"sync", "cancel"}), 0);
  EXPECT_EQ(out_, "nothing was running\n");
}

TEST_F(CliTest, ContentVerifyExitsWithOneWhenSomethingIsWrong) {
  std::vector<v1::VerifyContentResponse> events(2);
  events[0].mutable_problem()->set_sha256("9e10");
  events[0].mutable_problem()->set_reason("CONTENT_CORRUPT");
  events[1].mutable_summary()->set_files(7);
  events[1].mutable_summary()->set_problems(1);
  node_.Answer<v1::VerifyContentRequest, v1::VerifyContentResponse>(
      "sluice.v1.MaintenanceService/VerifyContent", events);
  EXPECT_EQ(Run({"content", "verify"}), 1);
  EXPECT_EQ(out_, "9e10  CONTENT_CORRUPT  \n");
  EXPECT_EQ(err_, "7 files (0 B) read, 1 problem, 0 being fetched again\n");
}

TEST_F(CliTest, ConditionsAndAuditAreListed) {
  v1::ListConditionsResponse conditions;
  node_.Answer<v1::ListConditionsRequest, v1::ListConditionsResponse>(
      "sluice.v1.MaintenanceService/ListConditions", {conditions});
  EXPECT_EQ(Run({"condition", "list"}), 0);
  EXPECT_EQ(err_, "no standing problems\n");
  conditions.add_conditions()->set_reason("UPSTREAM_CONNECT");
  node_.Answer<v1::ListConditionsRequest, v1::ListConditionsResponse>(
      "sluice.v1.MaintenanceService/ListConditions", {conditions});
  EXPECT_EQ(Run({"condition", "list", "-o", "name"}), 0);
  EXPECT_EQ(out_, "UPSTREAM_CONNECT\n");
  v1::ListAuditEntriesResponse audit;
  v1::AuditEntry& entry = *audit.add_entries();
  entry.set_entry_id(7);
  entry.set_actor("local, unverified (approver)");
  entry.set_action("approve");
  node_.Answer<v1::ListAuditEntriesRequest, v1::ListAuditEntriesResponse>(
      "sluice.v1.MaintenanceService/ListAuditEntries", {audit});
  EXPECT_EQ(Run({"audit", "list"}), 0);
  EXPECT_THAT(out_, HasSubstr("local, unverified (approver)  approve"));
}

class PublishVerbTest : public CliTest {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/publish_test_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    v1::PublishUpdateResponse response;
    response.set_update_id("id");
    response.set_revision(1);
    response.set_changed(true);
    node_.Answer<v1::PublishUpdateRequest, v1::PublishUpdateResponse>(
        "sluice.v1.CatalogService/PublishUpdate", {response});
    Write("agent.deb", "bytes of the agent");
  }
  void TearDown() override { std::system(("rm -rf '" + dir_ + "'").c_str()); }
  std::string Write(const std::string& name, absl::string_view text) {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }
  std::string dir_;
};

TEST_F(PublishVerbTest, SendsTheManifestThenEachFile) {
  const std::string manifest =
      Write("m.yaml", "name: agent\nproducts: [Contoso/Agent]\nfiles: [{path: ./agent.deb}]\n");
  Write("empty", "");
  EXPECT_EQ(Run({"update", "publish", manifest}), 0);
  ASSERT_THAT(node_.calls(), SizeIs(3));
  EXPECT_THAT(node_.calls()[0], AllOf(HasSubstr("\"manifest\":{\"name\":\"agent\""),
                                      HasSubstr("\"path\":\"agent.deb\",\"sha256\":\"" +
                                                Digest::Of("bytes of the agent").ToHex())));
  EXPECT_THAT(node_.calls()[1], HasSubstr("{\"file\":\"agent.deb\"}"));
  EXPECT_THAT(node_.calls()[2], HasSubstr("{\"data\":\""));
  EXPECT_EQ(out_, "published id revision 1 (1 file, 18 B)\n");
}

TEST_F(PublishVerbTest, DryRunAsksForValidationFirst) {
  const std::string manifest = Write("m.yaml", "name: agent\n");
  EXPECT_EQ(Run({"update", "publish", manifest, "--dry-run"}), 0);
  EXPECT_THAT(node_.calls()[0], HasSubstr("{\"validateOnly\":true}"));
  EXPECT_THAT(out_, HasSubstr("would publish"));
}

TEST_F(PublishVerbTest, SendsLargeFilesInPiecesOfAMebibyte) {
  Write("large", std::string((2 << 20) + 1, 'x'));
  const std::string manifest = Write("m.yaml", "name: a\nfiles: [{path: large}]\n");
  EXPECT_EQ(Run({"update", "publish", manifest}), 0);
  EXPECT_THAT(node_.calls(), SizeIs(2 + 3));
}

TEST_F(PublishVerbTest, NamesWhatIsWrongAndSendsNothing) {
  EXPECT_EQ(Run({"update", "publish", dir_ + "/none.yaml"}), 1);
  EXPECT_THAT(err_, HasSubstr("none.yaml: No such file"));
  EXPECT_EQ(Run({"update", "publish", Write("m.yaml", "nam: a\n")}), 1);
  EXPECT_THAT(err_, HasSubstr("m.yaml:1: nam: unknown field"));
  EXPECT_EQ(Run({"update", "publish", Write("m.yaml", "files: [{path: gone}]\n")}), 1);
  EXPECT_THAT(err_, HasSubstr("/gone: No such file"));
  EXPECT_EQ(
      Run({"update", "publish", Write("m.yaml", "files: [{path: agent.deb, sha256: \"00\"}]\n")}),
      1);
  EXPECT_THAT(err_, HasSubstr("and the manifest says 00"));
  EXPECT_EQ(Run({"update", "publish",
                 Write("m.yaml", "files: [{path: agent.deb}, {path: ../" +
                                     dir_.substr(dir_.rfind('/') + 1) + "/agent.deb}]\n")}),
            1);
  EXPECT_THAT(err_, HasSubstr("two files are named agent.deb"));
  EXPECT_THAT(node_.calls(), IsEmpty());
}

}  // namespace
}  // namespace sluice
