// Decisions about updates that are no longer here, at the node that made them.
#include "upstream/inactive_updates.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/decisions.h"
#include "storage/memory_content_store.h"
#include "tests/storage/test_catalog.h"
#include "upstream/catalog_service.h"
#include "upstream/decision_maker.h"

namespace sluice {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class InactiveUpdatesTest : public ::testing::Test {
 protected:
  InactiveUpdatesTest() {
    context_.local_identity = "local:test";
    EXPECT_TRUE(decisions_.CreateBuiltInGroups().ok());
    for (const char* name : {"a", "b", "c"}) {
      const RecordKey key = catalog_.AddUpdate({.name = name});
      catalog_.Decline(name);
      if (name[0] == 'c') continue;
      const RecordColumns columns = catalog_.Read().GetColumns(key).value();
      CatalogChange change;
      change.Leave(key, ShardId::FromBytes(columns.header.shard_id()).value());
      catalog_.Commit(change);
    }
  }

  v1::DecisionResult Clear(absl::string_view update) {
    v1::ClearDecisionsRequest request;
    request.add_update_ids(UpdateIdOf(update).ToString());
    return decisions_.Clear(context_, request)->results(0);
  }
  v1::UpdateState StateOf(absl::string_view update) {
    return StandingOf(catalog_.Read(), UpdateIdOf(update))->state;
  }

  TestCatalog catalog_{absl::FromUnixSeconds(1'700'000'000), Uuid::Random(),
                       v1::NODE_MODE_AUTONOMOUS};
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  MemoryContentStore content_;
  Audit audit_{*catalog_, clock_};
  DecisionMaker decisions_{*catalog_, audit_};
  CatalogService service_{*catalog_, content_, clock_};
  CallContext context_;
};

TEST_F(InactiveUpdatesTest, AreListedPageByPageAndShownWithTheirDecisions) {
  v1::ListUpdatesRequest request;
  request.set_page_size(1);
  request.mutable_filter()->set_state(v1::UPDATE_STATE_INACTIVE);
  std::set<std::string> listed;
  for (int page = 0; page < 2; ++page) {
    const auto response = service_.ListUpdates(request);
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_THAT(response->updates(), SizeIs(1));
    listed.insert(response->updates(0).update_id());
    request.set_page_token(response->next_page_token());
  }
  EXPECT_EQ(request.page_token(), "");
  EXPECT_EQ(listed,
            (std::set<std::string>{UpdateIdOf("a").ToString(), UpdateIdOf("b").ToString()}));
  v1::GetUpdateRequest get;
  get.set_update_id(UpdateIdOf("a").ToString());
  const auto update = service_.GetUpdate(get);
  ASSERT_TRUE(update.ok()) << update.status();
  EXPECT_EQ(update->summary().state(), v1::UPDATE_STATE_INACTIVE);
  EXPECT_THAT(update->decisions(), SizeIs(1));
  EXPECT_THAT(service_.ListUpdates({})->updates(), SizeIs(1)) << "other lists show what is here";
}

TEST_F(InactiveUpdatesTest, CanBeClearedAndNothingElse) {
  v1::ApproveUpdatesRequest approve;
  approve.add_update_ids(UpdateIdOf("a").ToString());
  EXPECT_EQ(decisions_.Approve(context_, approve)->results(0).status().reason(), "ITEM_NOT_FOUND");
  v1::DeclineUpdatesRequest decline;
  decline.add_update_ids(UpdateIdOf("a").ToString());
  EXPECT_EQ(decisions_.Decline(context_, decline)->results(0).status().reason(), "ITEM_NOT_FOUND");
  const v1::DecisionResult cleared = Clear("a");
  EXPECT_EQ(cleared.status().code(), 0) << cleared.status().message();
  EXPECT_TRUE(cleared.changed());
  EXPECT_EQ(StateOf("a"), v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_EQ(StateOf("b"), v1::UPDATE_STATE_INACTIVE);
  EXPECT_EQ(Clear("a").status().reason(), "ITEM_NOT_FOUND");
}

// Nobody decided about it here; it is only on its way.
TEST_F(InactiveUpdatesTest, AreNoneWhereDecisionsComeFromAbove) {
  TestCatalog replica(absl::FromUnixSeconds(1'700'000'000), Uuid::Random(), v1::NODE_MODE_REPLICA);
  const RecordKey key = replica.AddUpdate({.name = "a"});
  replica.Approve("a");
  const RecordColumns columns = replica.Read().GetColumns(key).value();
  CatalogChange change;
  change.Leave(key, ShardId::FromBytes(columns.header.shard_id()).value());
  replica.Commit(change);
  EXPECT_EQ(StandingOf(replica.Read(), UpdateIdOf("a"))->state, v1::UPDATE_STATE_PENDING);
  EXPECT_THAT(ListInactiveUpdates(replica.Read(), {.size = 10, .after = ""})->updates(), IsEmpty());
}

}  // namespace
}  // namespace sluice
