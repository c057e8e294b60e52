#include "storage/leases.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const Uuid kNode = Uuid::FromName({}, "site");

class LeasesTest : public ::testing::Test {
 protected:
  absl::Status Report(const std::vector<v1::Lease>& leases, absl::Time now = kNow) {
    const google::protobuf::RepeatedPtrField<v1::Lease> reported(leases.begin(), leases.end());
    CatalogChange change;
    const absl::Status status = PutLeases(catalog_.Read(), reported, now, change);
    if (status.ok()) catalog_.Commit(change);
    return status;
  }
  bool Holds(const std::string& update, absl::Time now) {
    return LeaseBook::Read(catalog_.Read(), now)->Holds(UpdateIdOf(update));
  }

  TestCatalog catalog_;
};

TEST_F(LeasesTest, ProtectsWhatItNamesUntilItLapses) {
  ASSERT_TRUE(Report({MakeLease(kNode, {UpdateIdOf("a")}, kNow)}).ok());
  EXPECT_TRUE(Holds("a", kNow));
  EXPECT_FALSE(Holds("b", kNow));
  EXPECT_TRUE(Holds("a", kNow + kLeaseTime - absl::Seconds(1)));
  EXPECT_FALSE(Holds("a", kNow + kLeaseTime));
}

TEST_F(LeasesTest, AnOlderWordByALongerWayDoesNotReplaceANewerOne) {
  ASSERT_TRUE(Report({MakeLease(kNode, {UpdateIdOf("new")}, kNow)}).ok());
  ASSERT_TRUE(Report({MakeLease(kNode, {UpdateIdOf("old")}, kNow - absl::Hours(1))}).ok());
  EXPECT_TRUE(Holds("new", kNow));
  EXPECT_FALSE(Holds("old", kNow));
}

TEST_F(LeasesTest, CannotReachBeyondItsLongestTime) {
  ASSERT_TRUE(Report({MakeLease(kNode, {UpdateIdOf("a")}, kNow + absl::Hours(24 * 365))}).ok());
  EXPECT_TRUE(Holds("a", kNow));
  EXPECT_FALSE(Holds("a", kNow + kLeaseTimeMax));
}

TEST_F(LeasesTest, IsReplacedWhenItNamesOthersOrHalfOfItsTimeIsOver) {
  const v1::Lease lease = MakeLease(kNode, {UpdateIdOf("a")}, kNow);
  const v1::Lease nothing = MakeLease(kNode, {}, kNow);
  EXPECT_TRUE(MustReplace(std::nullopt, lease, kNow));
  EXPECT_FALSE(MustReplace(std::nullopt, nothing, kNow)) << "a node that needs nothing is silent";
  EXPECT_FALSE(MustReplace(lease, lease, kNow));
  EXPECT_TRUE(MustReplace(lease, MakeLease(kNode, {UpdateIdOf("b")}, kNow), kNow));
  EXPECT_TRUE(MustReplace(lease, nothing, kNow));
  EXPECT_FALSE(MustReplace(lease, lease, kNow + kLeaseTime / 2 - absl::Seconds(1)));
  EXPECT_TRUE(MustReplace(lease, lease, kNow + kLeaseTime / 2));
  EXPECT_FALSE(MustReplace(nothing, nothing, kNow + kLeaseTime)) << "nothing needs no renewal";
}

TEST_F(LeasesTest, RefusesMalformedIds) {
  v1::Lease lease = MakeLease(kNode, {UpdateIdOf("a")}, kNow);
  lease.add_update_ids("short");
  EXPECT_EQ(Report({lease}).code(), absl::StatusCode::kInvalidArgument);
  lease = MakeLease(kNode, {}, kNow);
  lease.set_node_id("short");
  EXPECT_EQ(Report({lease}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LeasesTest, ListsThoseOfNodesBelowButNotItsOwn) {
  CatalogChange own;
  own.PutRow(Family::kLeases, catalog_->node_id().view(),
             MakeLease(catalog_->node_id(), {UpdateIdOf("mine")}, kNow));
  catalog_.Commit(own);
  ASSERT_TRUE(Report({MakeLease(kNode, {UpdateIdOf("a")}, kNow)}).ok());
  EXPECT_THAT(*LeasesBelow(catalog_.Read(), "", 10), SizeIs(1));
  EXPECT_FALSE(Holds("mine", kNow));
}

}  // namespace
}  // namespace sluice
