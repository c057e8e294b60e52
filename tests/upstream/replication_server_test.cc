#include "upstream/replication_server.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/acknowledgements.h"
#include "storage/payload.h"
#include "storage/root_cursor.h"
#include "storage/selection.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Uuid kChild = Uuid::FromName({}, "child");

// A server over a catalog in memory, and a child that asks it.
class ReplicationServerTest : public ::testing::Test {
 protected:
  // A cursor at `seq`, as the server itself would have given it out.
  v1::ChangesRequest ChangesFrom(uint64_t seq, const v1::Subscription& subscription = {}) {
    v1::ChangesRequest request;
    request.set_node_id(kChild.bytes());
    *request.mutable_subscription() = subscription;
    v1::Cursor& cursor = *request.mutable_cursor();
    cursor.set_upstream_id(catalog_->node_id().bytes());
    *cursor.mutable_epoch() = catalog_->epoch();
    cursor.set_seq(seq);
    cursor.set_selection_hash(
        Selection::Expand(catalog_.Read(), subscription).value().hash().bytes());
    return request;
  }

  // All messages until the feed has no more to say.
  static std::vector<v1::ChangesResponse> Drain(ChangeFeed& feed) {
    std::vector<v1::ChangesResponse> messages;
    while (true) {
      ChangeFeed::Step step = feed.Next();
      EXPECT_TRUE(step.status.ok()) << step.status;
      if (step.kind != ChangeFeed::Step::Kind::kMessage) return messages;
      if (step.bytes != nullptr) {
        EXPECT_TRUE(step.message.ParseFromString(*step.bytes));
      }
      messages.push_back(std::move(step.message));
    }
  }

  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  int reports_ = 0;
  ReplicationServer server_{
      *catalog_, clock_, {.node_name = "hq", .on_report = [this] { ++reports_; }}};
};

TEST_F(ReplicationServerTest, StreamsWhatChangedAndThenAMarkWithTheFingerprint) {
  catalog_.AddUpdate({.name = "a"});
  catalog_.AddUpdate({.name = "b"});
  absl::StatusOr<ChangeFeed> feed = server_.Changes(ChangesFrom(1));
  ASSERT_TRUE(feed.ok()) << feed.status();
  const std::vector<v1::ChangesResponse> messages = Drain(*feed);
  ASSERT_THAT(messages, SizeIs(2));
  ASSERT_THAT(messages[0].batch().changes(), SizeIs(1));
  EXPECT_EQ(messages[0].batch().changes(0).record().key().id(), UpdateIdOf("b").bytes());
  EXPECT_THAT(messages[0].batch().shards(), SizeIs(1));
  EXPECT_EQ(messages[1].mark().seq(), 2u);
  EXPECT_EQ(messages[1].mark().fingerprint().count(), 2u);
}

TEST_F(ReplicationServerTest, PassesOverWhatLiesOutsideOfTheSelection) {
  catalog_.AddUpdate({.name = "a", .product = "Contoso/Agent"});
  catalog_.AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  v1::Subscription subscription;
  subscription.add_products("Contoso/Agent");
  absl::StatusOr<ChangeFeed> feed = server_.Changes(ChangesFrom(0, subscription));
  ASSERT_TRUE(feed.ok()) << feed.status();
  const std::vector<v1::ChangesResponse> messages = Drain(*feed);
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_THAT(messages[0].batch().changes(), SizeIs(1));
  EXPECT_EQ(messages[1].mark().seq(), 2u);
  EXPECT_EQ(messages[1].mark().fingerprint().count(), 1u);
}

TEST_F(ReplicationServerTest, GoesOnWithAWatchingFeedAfterACommit) {
  v1::ChangesRequest request = ChangesFrom(0);
  request.set_watch(true);
  absl::StatusOr<ChangeFeed> feed = server_.Changes(request);
  ASSERT_TRUE(feed.ok()) << feed.status();
  EXPECT_THAT(Drain(*feed), SizeIs(1));
  EXPECT_THAT(Drain(*feed), IsEmpty());
  catalog_.AddUpdate({.name = "a"});
  EXPECT_THAT(Drain(*feed), SizeIs(2));
  EXPECT_EQ(feed->Next().kind, ChangeFeed::Step::Kind::kAtHead);
}

TEST_F(ReplicationServerTest, TellsThoseAtTheSamePlaceTheSameBytes) {
  v1::ChangesRequest request = ChangesFrom(0);
  request.set_watch(true);
  ChangeFeed first = server_.Changes(request).value();
  request.set_node_id(Uuid::Random().bytes());
  ChangeFeed second = server_.Changes(request).value();
  Drain(first);
  Drain(second);
  catalog_.AddUpdate({.name = "a"});
  const std::vector<v1::ChangesResponse> told = Drain(first);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_THAT(told[0].batch().shards(), SizeIs(1));
  const ChangeFeed::Step step = second.Next();
  ASSERT_NE(step.bytes, nullptr);
  EXPECT_EQ(*step.bytes, told[0].SerializeAsString());
  const std::vector<v1::ChangesResponse> rest = Drain(second);
  ASSERT_THAT(rest, SizeIs(1));
  EXPECT_EQ(rest[0].SerializeAsString(), told[1].SerializeAsString());
}

TEST_F(ReplicationServerTest, TellsEachItsOwnAfterTheirSelectionsDiffer) {
  catalog_.AddProduct("Contoso/Agent");
  catalog_.AddProduct("Fabrikam/Tool");
  v1::Subscription subscription;
  subscription.add_products("Contoso");
  v1::ChangesRequest narrow = ChangesFrom(catalog_->durable_head(), subscription);
  narrow.set_watch(true);
  v1::ChangesRequest wide = ChangesFrom(catalog_->durable_head());
  wide.set_watch(true);
  ChangeFeed all = server_.Changes(wide).value();
  ChangeFeed some = server_.Changes(narrow).value();
  Drain(all);
  Drain(some);
  catalog_.AddUpdate({.name = "a", .product = "Fabrikam/Tool"});
  EXPECT_THAT(Drain(all)[0].batch().changes(), SizeIs(1));
  const std::vector<v1::ChangesResponse> told = Drain(some);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_TRUE(told[0].has_mark());
}

TEST_F(ReplicationServerTest, EndsAFeedOfSomebodyWhoDoesNotWatch) {
  absl::StatusOr<ChangeFeed> feed = server_.Changes(ChangesFrom(0));
  ASSERT_TRUE(feed.ok()) << feed.status();
  Drain(*feed);
  EXPECT_EQ(feed->Next().kind, ChangeFeed::Step::Kind::kEnd);
}

TEST_F(ReplicationServerTest, TellsOfShardsThatAProductsMoveBrings) {
  catalog_.AddProduct("Contoso");
  catalog_.AddProduct("Fabrikam/Tool");
  catalog_.AddUpdate({.name = "a", .product = "Fabrikam/Tool"});
  v1::Subscription subscription;
  subscription.add_products("Contoso");
  v1::ChangesRequest request = ChangesFrom(catalog_->durable_head(), subscription);
  request.set_watch(true);
  absl::StatusOr<ChangeFeed> feed = server_.Changes(request);
  ASSERT_TRUE(feed.ok()) << feed.status();
  Drain(*feed);
  catalog_.AddProduct("Fabrikam/Tool", "Contoso");
  const std::vector<v1::ChangesResponse> messages = Drain(*feed);
  ASSERT_THAT(messages, SizeIs(3));
  EXPECT_THAT(messages[0].selection_changed().added_shard_ids(), SizeIs(1));
  EXPECT_THAT(messages[0].selection_changed().removed_shard_ids(), IsEmpty());
  EXPECT_TRUE(messages[1].has_batch());
  EXPECT_EQ(messages[2].mark().fingerprint().count(), 4u);
}

TEST_F(ReplicationServerTest, RefusesCursorsThatItCannotServe) {
  v1::ChangesRequest request = ChangesFrom(0);
  request.mutable_cursor()->set_seq(5);
  EXPECT_EQ(ReasonOf(server_.Changes(request).status()), v1::REASON_SEQ_AHEAD);
  request = ChangesFrom(0);
  request.mutable_cursor()->mutable_epoch()->set_epoch_id(Uuid::Random().bytes());
  EXPECT_EQ(ReasonOf(server_.Changes(request).status()), v1::REASON_EPOCH_CHANGED);
  request = ChangesFrom(0);
  request.mutable_subscription()->add_products("Contoso");
  EXPECT_EQ(ReasonOf(server_.Changes(request).status()), v1::REASON_SELECTION_CHANGED);
}

TEST_F(ReplicationServerTest, AnswersRecordsItemByItem) {
  const RecordKey key = catalog_.AddUpdate({.name = "a"});
  v1::GetRecordsRequest request;
  *request.add_keys() = key.ToProto();
  RecordKey other = key;
  other.revision = 7;
  *request.add_keys() = other.ToProto();
  const absl::StatusOr<v1::GetRecordsResponse> response = server_.GetRecords(request);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_THAT(response->items(), SizeIs(2));
  EXPECT_EQ(response->items(0).record().key().id(), key.id.bytes());
  EXPECT_EQ(response->items(1).status().reason(), "ITEM_NOT_FOUND");
}

TEST_F(ReplicationServerTest, AnswersAllRecordsAboutAnUpdate) {
  catalog_.AddUpdate({.name = "a", .title = "1"});
  catalog_.AddUpdate({.name = "a", .title = "2"});
  catalog_.Approve("a");
  v1::GetRecordsRequest request;
  request.add_update_ids(UpdateIdOf("a").bytes());
  request.add_update_ids(UpdateIdOf("nowhere").bytes());
  absl::StatusOr<v1::GetRecordsResponse> response = server_.GetRecords(request);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_THAT(response->items(), SizeIs(4));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(response->items(i).record().key().id(), request.update_ids(0));
  EXPECT_THAT(response->shards(), SizeIs(2));
  EXPECT_EQ(response->items(3).status().reason(), "ITEM_NOT_FOUND");
  EXPECT_EQ(response->items(3).record().key().id(), request.update_ids(1));

  request.set_mode(v1::NODE_MODE_AUTONOMOUS);
  EXPECT_THAT(server_.GetRecords(request)->items(), SizeIs(3));

  // One who takes a part alone cannot tell what there is besides.
  v1::Subscription subscription;
  subscription.add_products("Contoso");
  CatalogChange change;
  change.PutRow(Family::kSettings, kSubscriptionSetting, subscription);
  catalog_.Commit(change);
  EXPECT_EQ(server_.GetRecords(request)->items(2).status().reason(), "ITEM_FILTERED");
}

TEST_F(ReplicationServerTest, SendsWhatIsPickedWhateverItsShardAndSumsItUp) {
  catalog_.AddUpdate({.name = "a", .product = "Contoso/Agent"});
  catalog_.AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  catalog_.AddUpdate({.name = "c", .product = "Fabrikam/Tool"});
  v1::Subscription subscription;
  subscription.add_products("Contoso/Agent");
  SetPicks({UpdateIdOf("b")}, subscription);
  v1::ChangesRequest request = ChangesFrom(0, subscription);
  request.set_watch(true);
  absl::StatusOr<ChangeFeed> feed = server_.Changes(request);
  ASSERT_TRUE(feed.ok()) << feed.status();
  std::vector<v1::ChangesResponse> messages = Drain(*feed);
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_THAT(messages[0].batch().changes(), SizeIs(2));
  EXPECT_EQ(messages[1].mark().fingerprint().count(), 2u);
  catalog_.AddUpdate({.name = "b", .title = "again", .product = "Elsewhere"});
  catalog_.AddUpdate({.name = "c", .title = "again", .product = "Fabrikam/Tool"});
  messages = Drain(*feed);
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_THAT(messages[0].batch().changes(), SizeIs(1));
  const CatalogReader reader = catalog_.Read();
  EXPECT_EQ(messages[1].mark().fingerprint().SerializeAsString(),
            SelectionFingerprint(reader, *Selection::Expand(reader, subscription), kChild)
                ->ToProto()
                .SerializeAsString());
}

TEST_F(ReplicationServerTest, ComparesOfAShardThatIsNotTakenWholeWhatIsPicked) {
  const RecordKey b = catalog_.AddUpdate({.name = "b", .product = "Fabrikam/Tool"});
  catalog_.AddUpdate({.name = "c", .product = "Fabrikam/Tool"});
  ReconcileExchange exchange = server_.Reconcile();
  v1::ReconcileRequest request;
  request.mutable_open()->set_node_id(kChild.bytes());
  request.mutable_open()->mutable_subscription()->add_products("Contoso/Agent");
  SetPicks({b.id}, *request.mutable_open()->mutable_subscription());
  const auto sums = exchange.Handle(request);
  ASSERT_TRUE(sums.ok()) << sums.status();
  ASSERT_THAT(sums->front().sums().shards(), SizeIs(1));
  EXPECT_EQ(sums->front().sums().shards(0).fingerprint().count(), 1u);
  const std::string shard = ShardId::Of(sums->front().sums().shards(0).definition()).bytes();
  request.mutable_keys_wanted()->add_shard_ids(shard);
  const auto keys = exchange.Handle(request);
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_THAT(keys->front().keys().records(), SizeIs(1));
  EXPECT_EQ(keys->front().keys().records(0).key().id(), b.id.bytes());
  request.mutable_symbols_wanted()->add_shard_ids(shard);
  request.mutable_symbols_wanted()->set_symbols(4);
  const auto symbols = exchange.Handle(request);
  ASSERT_TRUE(symbols.ok()) << symbols.status();
  EXPECT_EQ(symbols->front().symbols().fingerprint().count(), 1u);
}

// It decides itself.
TEST_F(ReplicationServerTest, GivesAnAutonomousNodeNoDecisions) {
  const RecordKey update = catalog_.AddUpdate({.name = "a"});
  catalog_.Approve("a");
  const RecordKey policy = {v1::RECORD_KIND_POLICY, update.id, 0, {}};
  v1::GetRecordsRequest records;
  records.set_mode(v1::NODE_MODE_AUTONOMOUS);
  *records.add_keys() = policy.ToProto();
  *records.add_keys() = update.ToProto();
  const auto given = server_.GetRecords(records);
  EXPECT_EQ(given->items(0).status().reason(), "ITEM_FILTERED");
  EXPECT_TRUE(given->items(1).has_record());

  v1::ReconcileRequest compare;
  compare.mutable_open()->set_node_id(kChild.bytes());
  compare.mutable_open()->set_mode(v1::NODE_MODE_AUTONOMOUS);
  const auto sums = server_.Reconcile().Handle(compare);
  ASSERT_THAT(sums->front().sums().shards(), SizeIs(1));
  EXPECT_EQ(sums->front().sums().shards(0).definition().stream(), v1::STREAM_KIND_CATALOG);

  v1::ChangesRequest changes = ChangesFrom(0);
  changes.set_mode(v1::NODE_MODE_AUTONOMOUS);
  EXPECT_EQ(ReasonOf(server_.Changes(changes).status()), v1::REASON_SELECTION_CHANGED)
      << "the cursor was a replica's";
  changes.mutable_cursor()->set_selection_hash(sums->front().sums().selection_hash());
  ChangeFeed feed = server_.Changes(changes).value();
  const std::vector<v1::ChangesResponse> messages = Drain(feed);
  ASSERT_THAT(messages, SizeIs(2));
  ASSERT_THAT(messages[0].batch().changes(), SizeIs(1));
  EXPECT_EQ(messages[0].batch().changes(0).record().key().kind(), v1::RECORD_KIND_REVISION);
  EXPECT_EQ(messages[1].mark().fingerprint().count(), 1u);
}

// Its own come from itself, those of its upstream from above.
TEST_F(ReplicationServerTest, TellsANodeNothingThatItHoldsBackItself) {
  CatalogChange change;
  for (const Uuid& node : {kChild, catalog_->node_id()}) {
    change.Originate(PackSiteNotice(MakeSuppression("a", node)).value());
  }
  catalog_.Commit(change);
  ChangeFeed feed = server_.Changes(ChangesFrom(0)).value();
  const std::vector<v1::ChangesResponse> messages = Drain(feed);
  ASSERT_THAT(messages, SizeIs(2));
  ASSERT_THAT(messages[0].batch().changes(), SizeIs(1));
  EXPECT_EQ(messages[0].batch().shards(0).site_node_id(), catalog_->node_id().bytes());
  EXPECT_EQ(messages[1].mark().fingerprint().count(), 1u);
}

TEST_F(ReplicationServerTest, ComparesByShardAndThenByKey) {
  const RecordKey key = catalog_.AddUpdate({.name = "a"});
  ReconcileExchange exchange = server_.Reconcile();
  v1::ReconcileRequest request;
  request.mutable_keys_wanted();
  EXPECT_FALSE(exchange.Handle(request).ok());
  request.mutable_open()->set_node_id(kChild.bytes());
  const auto sums = exchange.Handle(request);
  ASSERT_TRUE(sums.ok()) << sums.status();
  ASSERT_THAT(*sums, SizeIs(1));
  EXPECT_EQ(sums->front().sums().at_seq(), 1u);
  ASSERT_THAT(sums->front().sums().shards(), SizeIs(1));
  request.mutable_keys_wanted()->add_shard_ids(
      ShardId::Of(sums->front().sums().shards(0).definition()).bytes());
  const auto keys = exchange.Handle(request);
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_THAT(*keys, SizeIs(1));
  EXPECT_FALSE(keys->front().keys().more());
  EXPECT_EQ(keys->front().keys().records(0).key().id(), key.id.bytes());
}

TEST_F(ReplicationServerTest, RefusesItemsThatWereNotBegunOrAreTooMany) {
  catalog_.AddUpdate({.name = "a"});
  ReconcileExchange exchange = server_.Reconcile();
  v1::ReconcileRequest request;
  request.mutable_open()->set_node_id(kChild.bytes());
  const auto opened = exchange.Handle(request);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(opened->front().sums().symbols());
  const std::string shard = ShardId::Of(opened->front().sums().shards(0).definition()).bytes();

  request.mutable_item_list_wanted();
  EXPECT_TRUE(absl::IsFailedPrecondition(exchange.Handle(request).status()));
  request.mutable_item_keys_wanted();
  EXPECT_TRUE(absl::IsFailedPrecondition(exchange.Handle(request).status()));
  v1::SymbolsWanted& wanted = *request.mutable_symbols_wanted();
  wanted.set_symbols(10);
  EXPECT_TRUE(absl::IsFailedPrecondition(exchange.Handle(request).status()));
  wanted.add_shard_ids(shard);
  wanted.set_symbols(kSymbolsMax + 1);
  EXPECT_EQ(ReasonOf(exchange.Handle(request).status()), v1::REASON_INVALID_REQUEST);
  wanted.set_symbols(10);
  const auto symbols = exchange.Handle(request);
  ASSERT_TRUE(symbols.ok()) << symbols.status();
  ASSERT_THAT(*symbols, SizeIs(1));
  EXPECT_EQ(symbols->front().symbols().fingerprint().count(), 1U);

  wanted.clear_shard_ids();
  EXPECT_EQ(ReasonOf(exchange.Handle(request).status()), v1::REASON_INVALID_REQUEST)
      << "the same ten again";
  wanted.add_shard_ids(shard);
  wanted.add_shard_ids(shard);
  EXPECT_EQ(ReasonOf(exchange.Handle(request).status()), v1::REASON_INVALID_REQUEST);
  for (int i = 0; i < 20'000; ++i) wanted.add_shard_ids(shard);
  EXPECT_EQ(ReasonOf(exchange.Handle(request).status()), v1::REASON_INVALID_REQUEST);
  v1::ItemKeysWanted& keys = *request.mutable_item_keys_wanted();
  for (int i = 0; i < 131'073; ++i) keys.add_items(1);
  EXPECT_EQ(ReasonOf(exchange.Handle(request).status()), v1::REASON_INVALID_REQUEST);
}

TEST_F(ReplicationServerTest, RemembersReportsAndPassesTheWordOn) {
  v1::ReportRequest request;
  request.add_nodes()->set_node_id(kChild.bytes());
  ASSERT_TRUE(server_.Report(request).ok());
  EXPECT_EQ(reports_, 1);
  request.mutable_nodes(0)->set_node_id("short");
  EXPECT_EQ(ReasonOf(server_.Report(request).status()), v1::REASON_INVALID_REQUEST);
}

TEST_F(ReplicationServerTest, TakesInHowFarUpdatesHaveComeAndNotTooMuchAtATime) {
  v1::ReportRequest request;
  request.add_nodes()->set_node_id(kChild.bytes());
  v1::UpdateAcknowledgement& said = *request.add_acknowledgements();
  said.set_node_id(kChild.bytes());
  said.set_update_id(UpdateIdOf("a").bytes());
  said.set_policy_digest("decisions");
  ASSERT_TRUE(server_.Report(request).ok());
  EXPECT_EQ(ReadAcknowledgement(catalog_.Read(), kChild, UpdateIdOf("a"))->policy_digest(),
            "decisions");
  for (int i = 0; i < kAcknowledgementsPerReport; ++i) *request.add_acknowledgements() = said;
  EXPECT_EQ(ReasonOf(server_.Report(request).status()), v1::REASON_INVALID_REQUEST);
}

TEST_F(ReplicationServerTest, SaysInItsMarksHowFarItHasFollowedTheRoot) {
  catalog_.AddUpdate({.name = "a"});
  v1::ChangesRequest request = ChangesFrom(0);
  request.set_watch(true);
  absl::StatusOr<ChangeFeed> feed = server_.Changes(request);
  ASSERT_TRUE(feed.ok()) << feed.status();
  EXPECT_EQ(Drain(*feed).back().mark().root_cursor().upstream_id(), catalog_->node_id().bytes());

  // From now on it follows somebody itself; nothing of that is a record.
  v1::HelloResponse above;
  above.set_node_id(Uuid::FromName({}, "root").bytes());
  v1::Cursor root;
  root.set_upstream_id(above.node_id());
  root.set_seq(7);
  CatalogChange change;
  change.PutRow(Family::kSettings, kUpstreamHelloSetting, above);
  change.PutRow(Family::kSettings, kRootCursorSetting, root);
  catalog_.Commit(change);
  const std::vector<v1::ChangesResponse> messages = Drain(*feed);
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_EQ(messages[0].mark().root_cursor().seq(), 7U);
  EXPECT_EQ(messages[0].mark().fingerprint().count(), 1U);
  EXPECT_THAT(Drain(*feed), IsEmpty());
}

}  // namespace
}  // namespace sluice
