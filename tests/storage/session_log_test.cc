#include "storage/session_log.h"

#include <random>

#include "gtest/gtest.h"
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

}  // namespace
}  // namespace sluice
