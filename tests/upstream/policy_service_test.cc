#include "upstream/policy_service.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/selection.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The root: where decisions are made.
class PolicyServiceTest : public ::testing::Test {
 protected:
  PolicyServiceTest() {
    EXPECT_TRUE(decisions_.CreateBuiltInGroups().ok());
    context_.local_identity = "local:test";
    for (const char* name : {"a", "b"}) catalog_.AddUpdate({.name = name});
  }

  v1::DecisionResult Approve(absl::string_view update, absl::string_view group = "",
                             bool validate_only = false) {
    v1::ApproveUpdatesRequest request;
    request.add_update_ids(UpdateIdOf(update).ToString());
    request.set_group(std::string(group));
    request.set_validate_only(validate_only);
    const auto response = decisions_.Approve(context_, request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->results(0) : v1::DecisionResult();
  }

  v1::DecisionResult Decline(absl::string_view update) {
    v1::DeclineUpdatesRequest request;
    request.add_update_ids(UpdateIdOf(update).ToString());
    return decisions_.Decline(context_, request)->results(0);
  }

  v1::DecisionResult Clear(absl::string_view update, bool decline) {
    v1::ClearDecisionsRequest request;
    request.add_update_ids(UpdateIdOf(update).ToString());
    request.set_decline(decline);
    return decisions_.Clear(context_, request)->results(0);
  }

  v1::UpdateState StateOf(absl::string_view update) {
    return StandingOf(catalog_.Read(), UpdateIdOf(update))->state;
  }

  int AuditEntries() { return audit_.List({})->entries_size(); }

  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  Audit audit_{*catalog_, clock_};
  DecisionMaker decisions_{*catalog_, audit_};
  PolicyService service_{*catalog_, audit_, {.decisions = &decisions_}};
  CallContext context_;
};

TEST_F(PolicyServiceTest, ApprovesForEverybodyWhenNoGroupIsNamed) {
  const v1::DecisionResult result = Approve("a");
  EXPECT_EQ(result.status().code(), 0);
  EXPECT_TRUE(result.changed());
  EXPECT_EQ(result.title(), "a");
  EXPECT_THAT(result.warnings(), IsEmpty());
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_APPROVED);
  EXPECT_EQ(StateOf("b"), v1::UPDATE_STATE_NOT_APPROVED);
}

TEST_F(PolicyServiceTest, StoresADecisionWithItsAuditEntryInOneCommit) {
  const uint64_t before = catalog_.Read().State()->commits();
  Approve("a");
  EXPECT_EQ(catalog_.Read().State()->commits(), before + 1);
  const v1::ListAuditEntriesResponse audit = *audit_.List({});
  ASSERT_THAT(audit.entries(), SizeIs(1));
  EXPECT_EQ(audit.entries(0).action(), "approve");
  EXPECT_EQ(audit.entries(0).subject(), "a");
  EXPECT_THAT(audit.entries(0).actor(), HasSubstr("local:test, unverified"));
}

TEST_F(PolicyServiceTest, ChangesNothingWhenApprovedAlready) {
  Approve("a");
  const uint64_t head = catalog_->durable_head();
  EXPECT_FALSE(Approve("a").changed());
  EXPECT_EQ(catalog_->durable_head(), head);
  EXPECT_EQ(AuditEntries(), 1);
}

TEST_F(PolicyServiceTest, ValidatesWithoutStoring) {
  const uint64_t commits = catalog_.Read().State()->commits();
  EXPECT_TRUE(Approve("a", "", true).changed());
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_EQ(catalog_.Read().State()->commits(), commits);
}

TEST_F(PolicyServiceTest, DecidesTheOthersWhenOneUpdateIsUnknown) {
  v1::ApproveUpdatesRequest request;
  request.add_update_ids("no uuid");
  request.add_update_ids(UpdateIdOf("unknown").ToString());
  request.add_update_ids(UpdateIdOf("b").ToString());
  const v1::ApproveUpdatesResponse response = *decisions_.Approve(context_, request);
  ASSERT_THAT(response.results(), SizeIs(3));
  EXPECT_EQ(response.results(0).status().code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(response.results(1).status().reason(), "ITEM_NOT_FOUND");
  EXPECT_TRUE(response.results(2).changed());
}

TEST_F(PolicyServiceTest, LetsADeclineBeatAnApprovalUntilItIsCleared) {
  Approve("a");
  EXPECT_TRUE(Decline("a").changed());
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_DECLINED);
  EXPECT_THAT(Approve("a").warnings(), ElementsAre(HasSubstr("is declined")));
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_DECLINED);
  EXPECT_TRUE(Clear("a", true).changed());
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_APPROVED);
}

TEST_F(PolicyServiceTest, ClearsAllDecisionsWhenNoneIsNamed) {
  Approve("a");
  Decline("a");
  EXPECT_TRUE(Clear("a", false).changed());
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_FALSE(Clear("a", false).changed());
}

TEST_F(PolicyServiceTest, WarnsOfPrerequisitesThatAreNotHere) {
  catalog_.AddUpdate({.name = "needy", .prerequisites = {"absent"}});
  EXPECT_THAT(Approve("needy").warnings(), ElementsAre(HasSubstr(UpdateIdOf("absent").ToString())));
}

TEST_F(PolicyServiceTest, PinsARevisionByItsDigestForASingleUpdateOnly) {
  const std::string digest =
      Digest::FromBytes(catalog_.Read().CurrentRevision(UpdateIdOf("a"))->header.digest())->ToHex();
  v1::ApproveUpdatesRequest request;
  request.add_update_ids(UpdateIdOf("a").ToString());
  request.set_revision_digest(digest);
  EXPECT_TRUE(decisions_.Approve(context_, request)->results(0).changed());
  request.add_update_ids(UpdateIdOf("b").ToString());
  EXPECT_EQ(ReasonOf(decisions_.Approve(context_, request).status()), v1::REASON_INVALID_REQUEST);
}

TEST_F(PolicyServiceTest, RefusesRequestsThatNameNothingOrTooMuch) {
  v1::ApproveUpdatesRequest request;
  EXPECT_EQ(ReasonOf(decisions_.Approve(context_, request).status()), v1::REASON_INVALID_REQUEST);
  for (int i = 0; i < 1001; ++i) request.add_update_ids("x");
  EXPECT_EQ(ReasonOf(decisions_.Approve(context_, request).status()), v1::REASON_INVALID_REQUEST);
}

TEST_F(PolicyServiceTest, NamesTheGroupsThereAreWhenOneIsUnknown) {
  v1::ApproveUpdatesRequest request;
  request.add_update_ids(UpdateIdOf("a").ToString());
  request.set_group("Pilots");
  const absl::Status status = decisions_.Approve(context_, request).status();
  EXPECT_EQ(ReasonOf(status), v1::REASON_ITEM_NOT_FOUND);
  EXPECT_THAT(std::string(status.message()), HasSubstr("All Computers"));
}

TEST_F(PolicyServiceTest, MakesGroupsUnderAllComputersAndCountsTheirApprovals) {
  v1::CreateGroupRequest request;
  request.set_name("Pilots");
  ASSERT_TRUE(decisions_.CreateGroup(context_, request).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(decisions_.CreateGroup(context_, request).status()));
  Approve("a", "Pilots");
  const v1::ListGroupsResponse groups = *service_.ListGroups({});
  ASSERT_THAT(groups.groups(), SizeIs(2));
  EXPECT_EQ(groups.groups(0).name(), "All Computers");
  EXPECT_EQ(groups.groups(0).approved_updates(), 0);
  EXPECT_EQ(groups.groups(1).name(), "Pilots");
  EXPECT_EQ(groups.groups(1).parent_id(), groups.groups(0).group_id());
  EXPECT_EQ(groups.groups(1).approved_updates(), 1);
}

TEST_F(PolicyServiceTest, PagesGroupsByName) {
  for (const char* name : {"Pilots", "Servers"}) {
    v1::CreateGroupRequest request;
    request.set_name(name);
    ASSERT_TRUE(decisions_.CreateGroup(context_, request).ok());
  }
  v1::ListGroupsRequest request;
  request.set_page_size(2);
  const v1::ListGroupsResponse first = *service_.ListGroups(request);
  EXPECT_THAT(first.groups(), SizeIs(2));
  request.set_page_token(first.next_page_token());
  const v1::ListGroupsResponse second = *service_.ListGroups(request);
  ASSERT_THAT(second.groups(), SizeIs(1));
  EXPECT_EQ(second.groups(0).name(), "Servers");
  EXPECT_THAT(second.next_page_token(), IsEmpty());
}

TEST_F(PolicyServiceTest, MakesTheBuiltInGroupOnce) {
  const uint64_t head = catalog_->durable_head();
  EXPECT_TRUE(decisions_.CreateBuiltInGroups().ok());
  EXPECT_EQ(catalog_->durable_head(), head);
}

TEST_F(PolicyServiceTest, HasNoSubscriptionAtTheRoot) {
  EXPECT_EQ(ReasonOf(service_.SetSubscription(context_, {}).status()), v1::REASON_NO_UPSTREAM);
}

// A node that follows another.
class FollowingPolicyServiceTest : public PolicyServiceTest {
 protected:
  int triggered_ = 0;
  PolicyService following_{
      *catalog_, audit_, {.upstream_target = "hq (127.0.0.1:8530)", .on_subscription = [this] {
                            ++triggered_;
                          }}};
};

TEST_F(FollowingPolicyServiceTest, TurnsThoseWhoDecideToTheNodeAbove) {
  Router router;
  following_.AddTo(router);
  v1::ApproveUpdatesRequest request;
  request.add_update_ids(UpdateIdOf("a").ToString());
  const auto method = router.Find("/sluice.v1.PolicyService/ApproveUpdates");
  ASSERT_TRUE(method.ok()) << method.status();
  const absl::Status status = (*method)->open(context_)->OnMessage(request.SerializeAsString());
  EXPECT_EQ(ReasonOf(status), v1::REASON_NOT_ORIGIN);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("hq (127.0.0.1:8530)"));
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_NOT_APPROVED);
}

TEST_F(FollowingPolicyServiceTest, StoresASubscriptionSortedAndTriggersASync) {
  catalog_.AddProduct("Contoso/Agent");
  v1::SetSubscriptionRequest request;
  for (const char* name : {"Fabrikam", "Contoso", "Contoso"}) {
    request.mutable_subscription()->add_products(name);
  }
  const auto response = following_.SetSubscription(context_, request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->subscription().products(), ElementsAre("Contoso", "Fabrikam"));
  EXPECT_THAT(response->unmatched(), ElementsAre("Fabrikam"));
  EXPECT_EQ(triggered_, 1);
  EXPECT_THAT(following_.GetSubscription()->subscription().products(),
              ElementsAre("Contoso", "Fabrikam"));
  EXPECT_EQ(AuditEntries(), 1);
}

TEST_F(FollowingPolicyServiceTest, ValidatesASubscriptionWithoutStoring) {
  v1::SetSubscriptionRequest request;
  request.mutable_subscription()->add_languages("de");
  request.set_validate_only(true);
  EXPECT_TRUE(following_.SetSubscription(context_, request).ok());
  EXPECT_EQ(triggered_, 0);
  EXPECT_THAT(following_.GetSubscription()->subscription().languages(), IsEmpty());
  request.mutable_subscription()->add_languages("");
  EXPECT_EQ(ReasonOf(following_.SetSubscription(context_, request).status()),
            v1::REASON_INVALID_REQUEST);
}

TEST_F(FollowingPolicyServiceTest, PinsUpdatesAndTakesPinsAway) {
  v1::PinUpdatesRequest request;
  request.add_update_ids(UpdateIdOf("a").ToString());
  request.add_update_ids(UpdateIdOf("elsewhere").ToString());
  request.add_update_ids("no id");
  request.set_validate_only(true);
  EXPECT_EQ(following_.Pin(context_, request)->pins(), 2);
  EXPECT_THAT(following_.GetSubscription()->subscription().update_ids(), IsEmpty());
  EXPECT_EQ(triggered_, 0);

  request.set_validate_only(false);
  const auto response = following_.Pin(context_, request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->pins(), 2);
  EXPECT_TRUE(response->results(0).changed());
  EXPECT_EQ(response->results(0).title(), "a");
  EXPECT_THAT(response->results(1).warnings(), SizeIs(1));
  EXPECT_EQ(response->results(2).status().reason(), "INVALID_REQUEST");
  EXPECT_EQ(triggered_, 1);
  EXPECT_EQ(AuditEntries(), 2);
  EXPECT_THAT(following_.GetSubscription()->subscription().update_ids(), SizeIs(2));
  EXPECT_THAT(following_.GetSubscription()->unmatched(),
              ElementsAre("update " + UpdateIdOf("elsewhere").ToString()));

  // Again: nothing changes, and nobody is told.
  EXPECT_FALSE(following_.Pin(context_, request)->results(0).changed());
  EXPECT_EQ(triggered_, 1);
  request.set_remove(true);
  EXPECT_EQ(following_.Pin(context_, request)->pins(), 0);
  EXPECT_EQ(triggered_, 2);
}

TEST_F(FollowingPolicyServiceTest, KeepsPinsWhenTheSubscriptionIsReplacedAsItWasRead) {
  v1::PinUpdatesRequest pin;
  pin.add_update_ids(UpdateIdOf("b").ToString());
  ASSERT_TRUE(following_.Pin(context_, pin).ok());
  v1::SetSubscriptionRequest request;
  *request.mutable_subscription() = following_.GetSubscription()->subscription();
  request.mutable_subscription()->add_products("Contoso");
  ASSERT_TRUE(following_.SetSubscription(context_, request).ok());
  EXPECT_THAT(following_.GetSubscription()->subscription().update_ids(),
              ElementsAre(UpdateIdOf("b").bytes()));
  request.mutable_subscription()->add_update_ids("short");
  EXPECT_EQ(ReasonOf(following_.SetSubscription(context_, request).status()),
            v1::REASON_INVALID_REQUEST);
}

TEST_F(PolicyServiceTest, HasNoPinsAtTheRoot) {
  EXPECT_EQ(ReasonOf(service_.Pin(context_, {}).status()), v1::REASON_NO_UPSTREAM);
}

}  // namespace
}  // namespace sluice
