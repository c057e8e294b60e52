#include "upstream/denial_audit.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::SizeIs;

class DenialAuditTest : public ::testing::Test {
 protected:
  void Deny(const std::string& user, const std::string& method) {
    CallContext context;
    context.method = method;
    context.identity = SpiffeId{"contoso.example", PeerKind::kUser, user};
    denials_.Note(context, absl::PermissionDeniedError("is for administrator"));
  }
  v1::ListAuditEntriesResponse Entries() const { return *audit_.List({}); }

  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  Log log_{LogLevel::kError};
  Audit audit_{*catalog_, clock_};
  DenialAudit denials_{audit_, *catalog_, clock_, log_};
};

TEST_F(DenialAuditTest, WritesWhoWasRefusedWhat) {
  Deny("ann", "/sluice.v1.SyncService/StartSync");
  ASSERT_THAT(Entries().entries(), SizeIs(1));
  EXPECT_EQ(Entries().entries(0).actor(), "spiffe://contoso.example/user/ann ()");
  EXPECT_EQ(Entries().entries(0).action(), "denied");
  EXPECT_EQ(Entries().entries(0).subject(), "sluice.v1.SyncService/StartSync");
  EXPECT_EQ(Entries().entries(0).detail(), "is for administrator");
}

TEST_F(DenialAuditTest, CountsWhatComesAgainWithinAMinute) {
  for (int i = 0; i < 1000; ++i) Deny("ann", "/sluice.v1.SyncService/StartSync");
  EXPECT_THAT(Entries().entries(), SizeIs(1));
  Deny("ann", "/sluice.v1.ParityService/Fix");
  Deny("bob", "/sluice.v1.SyncService/StartSync");
  EXPECT_THAT(Entries().entries(), SizeIs(3));
  clock_.Advance(absl::Seconds(61));
  Deny("bob", "/sluice.v1.SyncService/StartSync");
  ASSERT_THAT(Entries().entries(), SizeIs(5));
  EXPECT_EQ(Entries().entries(1).detail(), "999 times more");
  EXPECT_EQ(Entries().entries(1).actor(), "spiffe://contoso.example/user/ann ()");
  EXPECT_EQ(audit_.Verify()->problem(), "");
}

}  // namespace
}  // namespace sluice
