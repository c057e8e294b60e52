#include "storage/session_log.h"

#include <random>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/session_rows.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

TEST(SessionLogTest, KeepsTheLatestThousandOrSo) {
  TestCatalog catalog;
  std::mt19937_64 random(1);
  SessionLog sessions(*catalog, "hq:8531");
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  for (int i = 0; i < 1250; ++i) {
    now += absl::Seconds(1);
    ASSERT_TRUE(sessions.Begin(v1::SYNC_TRIGGER_WATCH, now, random).ok());
  }
  const auto rows =
      catalog.Read().ListRows<v1::Session>(Family::kSessions, "", "", 1 << 20).value();
  EXPECT_GE(rows.size(), 1000U);
  EXPECT_LE(rows.size(), 1100U);
  EXPECT_EQ(rows.back().second.session_id(), sessions.session().session_id());
}

// A node's sessions, a second apart.
class SessionRowsTest : public ::testing::Test {
 protected:
  void Begin() {
    now_ += absl::Seconds(1);
    ASSERT_TRUE(sessions_.Begin(v1::SYNC_TRIGGER_SCHEDULE, now_, random_).ok());
  }
  void End(const absl::Status& failure) {
    now_ += absl::Seconds(1);
    ASSERT_TRUE(sessions_.End(failure, now_).ok());
  }
  v1::ListSessionsResponse List(int page_size, const std::string& token) const {
    v1::ListSessionsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    const auto response = ListSessions(catalog_.Read(), request);
    EXPECT_TRUE(response.ok()) << response.status();
    return *response;
  }
  v1::Session Newest() const { return List(1, "").sessions(0); }

  TestCatalog catalog_;
  std::mt19937_64 random_{1};
  SessionLog sessions_{*catalog_, "hq:8531"};
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

TEST_F(SessionRowsTest, ShowARunningSessionFromItsFirstMoment) {
  Begin();
  EXPECT_EQ(Newest().outcome(), v1::SYNC_OUTCOME_RUNNING);
  EXPECT_EQ(Newest().peer(), "hq:8531");
  ASSERT_TRUE(sessions_.Enter(v1::SYNC_PHASE_CONTENT).ok());
  EXPECT_EQ(Newest().phase(), v1::SYNC_PHASE_CONTENT);
}

TEST_F(SessionRowsTest, TellSuccessFromWhatWasNotHadAndFromFailure) {
  Begin();
  End(absl::OkStatus());
  EXPECT_EQ(Newest().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  Begin();
  sessions_.AddItem("a file", absl::NotFoundError("gone"));
  End(absl::OkStatus());
  EXPECT_EQ(Newest().outcome(), v1::SYNC_OUTCOME_PARTIAL);
  EXPECT_EQ(Newest().items_failed(), 1);
  Begin();
  End(MakeError(v1::REASON_UPSTREAM_CONNECT, "calling hq:8531: connection refused"));
  EXPECT_EQ(Newest().outcome(), v1::SYNC_OUTCOME_FAILED);
  ASSERT_FALSE(Newest().errors().empty());
  EXPECT_EQ(Newest().errors(0).reason(), "UPSTREAM_CONNECT");
  EXPECT_FALSE(Newest().errors(0).remedy().empty());
}

TEST_F(SessionRowsTest, CallASessionInterruptedThatAKillLeftRunning) {
  Begin();
  const std::string id = sessions_.session().session_id();
  SessionLog after(*catalog_, "hq:8531");
  ASSERT_TRUE(after.CloseInterrupted(now_ + absl::Seconds(9)).ok());
  EXPECT_EQ(Newest().session_id(), id);
  EXPECT_EQ(Newest().outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
  EXPECT_TRUE(Newest().has_ended_at());
}

TEST_F(SessionRowsTest, ArePagedNewestFirst) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    Begin();
    ids.insert(ids.begin(), sessions_.session().session_id());
    End(absl::OkStatus());
  }
  std::vector<std::string> listed;
  std::string token;
  do {
    const v1::ListSessionsResponse page = List(2, token);
    EXPECT_LE(page.sessions_size(), 2);
    for (const v1::Session& session : page.sessions()) listed.push_back(session.session_id());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_EQ(listed, ids);
}

TEST_F(SessionRowsTest, RefuseAPageTokenOfNobody) {
  v1::ListSessionsRequest request;
  request.set_page_token("%%%");
  EXPECT_EQ(ReasonOf(ListSessions(catalog_.Read(), request).status()), v1::REASON_INVALID_REQUEST);
}

TEST_F(SessionRowsTest, KnowTheLastSuccess) {
  EXPECT_EQ(*LastSuccess(catalog_.Read()), std::nullopt);
  Begin();
  End(absl::OkStatus());
  const absl::Time success = now_;
  Begin();
  End(absl::UnavailableError("refused"));
  Begin();
  const auto last = LastSuccess(catalog_.Read());
  ASSERT_TRUE(last.ok() && last->has_value()) << last.status();
  EXPECT_EQ((*last)->seconds(), absl::ToUnixSeconds(success));
}

}  // namespace
}  // namespace sluice
