#include "storage/decisions.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

v1::UpdateState StateOf(const TestCatalog& catalog, absl::string_view update) {
  const absl::StatusOr<UpdateStanding> standing = StandingOf(catalog.Read(), UpdateIdOf(update));
  EXPECT_TRUE(standing.ok()) << standing.status();
  return standing->state;
}

WantedFiles WantedBy(const TestCatalog& catalog, absl::string_view update,
                     const v1::Subscription& subscription = {}) {
  const CatalogReader reader = catalog.Read();
  const absl::StatusOr<WantedFiles> wanted =
      FilesWantedFor(reader, UpdateIdOf(update), Selection::Expand(reader, subscription).value());
  EXPECT_TRUE(wanted.ok()) << wanted.status();
  return *wanted;
}

TEST(StandingTest, IsNotApprovedBeforeAnyDecision) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "agent"});
  EXPECT_EQ(StateOf(catalog, "agent"), v1::UPDATE_STATE_NOT_APPROVED);
}

TEST(StandingTest, LetsADeclineBeatAnApprovalUntilItIsCleared) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "agent"});
  catalog.Approve("agent");
  EXPECT_EQ(StateOf(catalog, "agent"), v1::UPDATE_STATE_APPROVED);
  catalog.Decline("agent");
  EXPECT_EQ(StateOf(catalog, "agent"), v1::UPDATE_STATE_DECLINED);
  catalog.ClearDecline("agent");
  EXPECT_EQ(StateOf(catalog, "agent"), v1::UPDATE_STATE_APPROVED);
}

TEST(StandingTest, IsPendingWhenTheMeantRevisionIsNotHere) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "agent"});
  v1::Decision approval = MakeApproval("agent", GroupIdOfName("Pilots"));
  approval.set_revision_digest(Digest::Of("a revision from elsewhere").bytes());
  catalog.Decide(approval);
  EXPECT_EQ(StateOf(catalog, "agent"), v1::UPDATE_STATE_PENDING);
}

TEST(WantedFilesTest, AreNoneWithoutApproval) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "agent", .contents = {"bytes"}});
  EXPECT_THAT(WantedBy(catalog, "agent").files, IsEmpty());
}

TEST(WantedFilesTest, FollowTheCurrentRevision) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "agent", .contents = {"old"}});
  catalog.Approve("agent");
  catalog.AddUpdate({.name = "agent", .contents = {"new"}});
  const WantedFiles wanted = WantedBy(catalog, "agent");
  ASSERT_THAT(wanted.files, SizeIs(1));
  EXPECT_EQ(wanted.files[0].sha256(), Digest::Of("new").bytes());
}

TEST(WantedFilesTest, AreThoseOfTheSelectedLanguages) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "agent", .contents = {"deutsch"}, .languages = {"de"}});
  catalog.Approve("agent");
  v1::Subscription french;
  french.add_languages("fr");
  EXPECT_THAT(WantedBy(catalog, "agent", french).files, IsEmpty());
  french.add_languages("de");
  EXPECT_THAT(WantedBy(catalog, "agent", french).files, SizeIs(1));
}

TEST(WantedFilesTest, ReachOverPrerequisitesAndNameThoseThatAreAbsent) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "runtime", .contents = {"runtime"}});
  catalog.AddUpdate(
      {.name = "agent", .contents = {"agent"}, .prerequisites = {"nowhere", "runtime"}});
  catalog.Approve("agent");
  const WantedFiles wanted = WantedBy(catalog, "agent");
  EXPECT_THAT(wanted.files, SizeIs(2));
  EXPECT_THAT(wanted.absent, ElementsAre(UpdateIdOf("nowhere")));
}

TEST(DecisionKeyTest, CarriesTheGroup) {
  const Uuid group = GroupIdOfName("Pilots");
  EXPECT_EQ(GroupOfDecisionKey(ApprovalKey(group)), group);
  EXPECT_EQ(GroupOfDecisionKey(kDeclineKey), std::nullopt);
  EXPECT_EQ(GroupOfDecisionKey("approve/nobody"), std::nullopt);
}

}  // namespace
}  // namespace sluice
