// Updates that are taken one by one, and other subscriptions: what moves, and what is left.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "tests/downstream/engine_bench.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class SyncEnginePicksTest : public ::testing::Test {
 protected:
  SyncEnginePicksTest() {
    for (const char* path : {"Contoso/Agent", "Contoso/Tool", "Fabrikam/Base"}) {
      bench_.upstream().AddProduct(path);
    }
    subscription_ = SubscriptionTo({"Contoso/Agent"});
    bench_.upstream().AddUpdate({.name = "agent", .product = "Contoso/Agent"});
    bench_.upstream().AddUpdate({.name = "tool", .product = "Contoso/Tool"});
    bench_.upstream().AddUpdate({.name = "base", .product = "Fabrikam/Base"});
  }

  void Start() {
    bench_.Subscribe(subscription_);
    bench_.Start();
    EXPECT_EQ(bench_.LastSession().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  }

  void Pin(const std::vector<std::string>& names) {
    std::vector<Uuid> pins;
    for (const std::string& name : names) pins.push_back(UpdateIdOf(name));
    std::sort(pins.begin(), pins.end());
    SetPicks(pins, subscription_);
    bench_.Subscribe(subscription_);
  }

  // The updates that are picked now.
  int Picks() { return ReadSubscriptionInForce(bench_.catalog().Read())->update_ids_size(); }

  // Here is exactly what is selected, without a comparison that found the tail wrong.
  void ExpectExact() {
    EXPECT_EQ(bench_.Ours(), bench_.Theirs());
    for (const v1::Session& session : bench_.Sessions()) {
      EXPECT_THAT(session.summary(), Not(HasSubstr("fingerprints differed")));
      EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
    }
  }

  int64_t RecordBytes() { return bench_.LastSession().counts().record_bytes(); }

  EngineBench bench_;
  v1::Subscription subscription_;
};

TEST_F(SyncEnginePicksTest, TakesAPinOutsideOfItsSubscriptionWithoutComparing) {
  Start();
  EXPECT_FALSE(bench_.Has("base"));
  const size_t compared = bench_.Count<OpenReconcile>();
  Pin({"base"});
  EXPECT_TRUE(bench_.Has("base"));
  EXPECT_FALSE(bench_.Has("tool"));
  EXPECT_EQ(bench_.Count<OpenReconcile>(), compared);
  EXPECT_EQ(bench_.LastSession().counts().revisions(), 1);
  EXPECT_THAT(bench_.LastSession().summary(), HasSubstr("1 single updates more, 0 less"));
  ExpectExact();
}

TEST_F(SyncEnginePicksTest, FollowsAllThatHappensToAPick) {
  Start();
  Pin({"base"});
  bench_.upstream().Approve("base");
  bench_.upstream().AddUpdate({.name = "base", .title = "base 2", .product = "Contoso/Tool"});
  bench_.upstream().AddUpdate({.name = "tool", .title = "tool 2", .product = "Contoso/Tool"});
  bench_.Run();
  const CatalogReader reader = bench_.catalog().Read();
  EXPECT_EQ(reader.CurrentRevision(UpdateIdOf("base"))->header.title(), "base 2");
  EXPECT_TRUE(StandingOf(reader, UpdateIdOf("base"))->approved());
  EXPECT_FALSE(bench_.Has("tool"));
  ExpectExact();
}

TEST_F(SyncEnginePicksTest, TakesWhatItsSelectionNeedsTransitively) {
  bench_.upstream().AddUpdate(
      {.name = "base", .product = "Fabrikam/Base", .prerequisites = {"ground"}});
  bench_.upstream().AddUpdate({.name = "ground", .product = "Fabrikam/Base"});
  bench_.upstream().AddUpdate(
      {.name = "needy", .product = "Contoso/Agent", .prerequisites = {"agent", "base"}});
  Start();
  EXPECT_TRUE(bench_.Has("base"));
  EXPECT_TRUE(bench_.Has("ground"));
  EXPECT_FALSE(bench_.Has("tool"));
  EXPECT_EQ(Picks(), 2);  // "agent" comes with its product.
  ExpectExact();
}

TEST_F(SyncEnginePicksTest, TakesWhatAnUpdateNeedsThatComesOverTheWatch) {
  Start();
  bench_.upstream().AddUpdate(
      {.name = "needy", .product = "Contoso/Agent", .prerequisites = {"base", "nowhere"}});
  bench_.Run();
  EXPECT_TRUE(bench_.Has("base"));
  // What did not exist then comes when it does.
  bench_.upstream().AddUpdate({.name = "nowhere", .product = "Fabrikam/Base"});
  bench_.Run();
  EXPECT_TRUE(bench_.Has("nowhere"));
  ExpectExact();
}

TEST_F(SyncEnginePicksTest, LetsGoOfWhatNothingNeedsAnyMore) {
  bench_.upstream().AddUpdate(
      {.name = "needy", .product = "Contoso/Agent", .prerequisites = {"base"}});
  Start();
  ASSERT_TRUE(bench_.Has("base"));
  CatalogChange change;
  change.Delete(bench_.upstream().Read().CurrentRevision(UpdateIdOf("needy"))->key);
  bench_.upstream().Commit(change);
  bench_.Run();
  EXPECT_FALSE(bench_.Has("base"));
  EXPECT_EQ(Picks(), 0);
  ExpectExact();
}

// Two that need each other would keep each other for ever.
TEST_F(SyncEnginePicksTest, LetsGoOfAPickThatOnlyAnotherLetGoOfNeeds) {
  bench_.upstream().AddUpdate(
      {.name = "left", .product = "Fabrikam/Base", .prerequisites = {"right"}});
  bench_.upstream().AddUpdate(
      {.name = "right", .product = "Fabrikam/Base", .prerequisites = {"left"}});
  Start();
  Pin({"left"});
  EXPECT_TRUE(bench_.Has("right"));
  Pin({});
  EXPECT_FALSE(bench_.Has("left"));
  EXPECT_FALSE(bench_.Has("right"));
  ExpectExact();
}

TEST_F(SyncEnginePicksTest, RemovesTheFilesOfWhatIsUnpinned) {
  bench_.upstream().AddUpdate(
      {.name = "base", .title = "2", .product = "Fabrikam/Base", .contents = {"mine", "shared"}});
  bench_.upstream().AddUpdate(
      {.name = "agent", .title = "2", .product = "Contoso/Agent", .contents = {"shared"}});
  bench_.upstream().Approve("base");
  bench_.OfferFile("mine");
  bench_.OfferFile("shared");
  Start();
  Pin({"base"});
  EXPECT_THAT(bench_.files, SizeIs(2));
  Pin({});
  EXPECT_EQ(bench_.files, std::set<Digest>{Digest::Of("shared")});
  const auto rows =
      bench_.catalog().Read().ListRows<stored::v1::ContentRow>(Family::kContent, "", "", 10);
  EXPECT_THAT(*rows, IsEmpty());
}

TEST_F(SyncEnginePicksTest, GoesOnWithItsPicksAfterARestart) {
  bench_.upstream().AddUpdate(
      {.name = "needy", .product = "Contoso/Agent", .prerequisites = {"base"}});
  Start();
  Pin({"tool"});
  bench_.upstream().AddUpdate({.name = "tool", .title = "tool 2", .product = "Contoso/Tool"});
  const size_t read = bench_.Count<CallGetRecords>();
  bench_.Restart();
  EXPECT_EQ(bench_.LastSession().counts().revisions(), 1);
  EXPECT_EQ(bench_.Count<CallGetRecords>(), read);
  EXPECT_TRUE(bench_.Has("base"));
  ExpectExact();
}

TEST_F(SyncEnginePicksTest, IsExactWhereverItIsKilledWhileItsPinsChange) {
  for (int64_t writes = 1; writes <= 12; ++writes) {
    EngineBench bench;
    for (const char* path : {"Contoso/Agent", "Fabrikam/Base"}) bench.upstream().AddProduct(path);
    bench.upstream().AddUpdate({.name = "agent", .product = "Contoso/Agent"});
    bench.upstream().AddUpdate(
        {.name = "one", .product = "Fabrikam/Base", .prerequisites = {"two"}});
    bench.upstream().AddUpdate({.name = "two", .product = "Fabrikam/Base"});
    v1::Subscription subscription = SubscriptionTo({"Contoso/Agent"});
    SetPicks({UpdateIdOf("one")}, subscription);
    bench.Subscribe(SubscriptionTo({"Contoso/Agent"}));
    bench.Start();
    CatalogChange change;
    change.PutRow(Family::kSettings, kSubscriptionSetting, subscription);
    ASSERT_TRUE(bench.catalog().Commit(change).ok());
    bench.store().FailWritesFrom(writes);
    bench.Tell(SyncRequested{v1::SYNC_TRIGGER_SUBSCRIPTION});
    bench.Restart();
    EXPECT_TRUE(bench.Has("one") && bench.Has("two")) << "killed at write " << writes;
    EXPECT_EQ(bench.Ours(), bench.Theirs()) << "killed at write " << writes;
  }
}

TEST_F(SyncEnginePicksTest, ReadsInSeveralAnswersWhatOneHasNoRoomFor) {
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    UpdateFacts facts{.name = absl::StrCat("large", i), .product = "Fabrikam/Base"};
    v1::Revision revision = MakeRevision(facts);
    std::string noise;
    for (int k = 0; k < 2000; ++k) {
      noise += Digest::Of(absl::StrCat(facts.name, k)).ToHex().substr(0, 32);
    }
    revision.mutable_texts(0)->set_description(noise);
    CatalogChange change;
    change.Originate(*PackRevision(revision, 0));
    revision.mutable_texts(0)->set_title("again");
    change.Originate(*PackRevision(revision, 0));
    bench_.upstream().Commit(change);
    names.push_back(facts.name);
  }
  Start();
  Pin(names);
  EXPECT_EQ(bench_.LastSession().counts().revisions(), 40);
  EXPECT_GT(bench_.Count<CallGetRecords>(), 1U);
  ExpectExact();
}

class SyncEngineSelectionTest : public SyncEnginePicksTest {
 protected:
  static constexpr int kUpdates = 40;

  SyncEngineSelectionTest() {
    for (const std::string product : {"Agent", "Tool"}) {
      for (int i = 0; i < kUpdates; ++i) {
        const std::string name = absl::StrCat(product, i);
        bench_.upstream().AddUpdate({.name = name,
                                     .product = absl::StrCat("Contoso/", product),
                                     .contents = {absl::StrCat("bytes of ", name)}});
        bench_.upstream().Approve(name);
        bench_.OfferFile(absl::StrCat("bytes of ", name));
      }
    }
  }
};

TEST_F(SyncEngineSelectionTest, WideningMovesTheAddedProductAlone) {
  Start();
  const int64_t first = RecordBytes();
  const size_t fetched = bench_.Count<FetchFile>();
  EXPECT_EQ(fetched, size_t{kUpdates});
  subscription_.add_products("Contoso/Tool");
  bench_.Subscribe(subscription_);
  // As many updates as before, without the categories.
  EXPECT_EQ(bench_.LastSession().counts().revisions(), kUpdates + 1);
  EXPECT_EQ(bench_.LastSession().counts().categories(), 0);
  EXPECT_LT(RecordBytes(), first);
  EXPECT_GT(RecordBytes(), first / 2);
  EXPECT_EQ(bench_.Count<FetchFile>(), fetched + kUpdates);
  ExpectExact();
}

TEST_F(SyncEngineSelectionTest, WideningKeepsAPickWithoutReadingItAgain) {
  Start();
  Pin({"tool", "Tool7"});
  subscription_.add_products("Contoso/Tool");
  bench_.Subscribe(subscription_);
  EXPECT_EQ(bench_.LastSession().counts().revisions(), kUpdates - 1);
  EXPECT_TRUE(bench_.Has("Tool7"));
  ExpectExact();
}

TEST_F(SyncEngineSelectionTest, NarrowingRemovesRecordsAndFilesHereAndMovesNoRecord) {
  subscription_.add_products("Contoso/Tool");
  Start();
  EXPECT_THAT(bench_.files, SizeIs(2 * kUpdates));
  subscription_ = SubscriptionTo({"Contoso/Agent"});
  Pin({"Tool7"});
  EXPECT_EQ(RecordBytes(), 0);
  EXPECT_EQ(bench_.LastSession().counts().deleted(), 0);
  EXPECT_GE(bench_.LastSession().counts().left(), 2 * (kUpdates - 1));
  EXPECT_TRUE(bench_.Has("Tool7"));
  EXPECT_FALSE(bench_.Has("Tool8"));
  EXPECT_THAT(bench_.files, SizeIs(kUpdates + 1));
  // Not a word of it in the history: at the upstream all is as it was.
  EXPECT_FALSE(bench_.catalog()
                   .Read()
                   .TombstoneShard({v1::RECORD_KIND_REVISION, UpdateIdOf("Tool8"), 1, {}})
                   ->has_value());
  ExpectExact();
}

TEST_F(SyncEngineSelectionTest, TakesAProductThatMovesUnderASelectedParentAndItsChildToo) {
  subscription_ = SubscriptionTo({"Contoso"});
  Start();
  EXPECT_FALSE(bench_.Has("base"));
  bench_.upstream().AddProduct("Fabrikam/Base", "Contoso");
  bench_.Run();
  EXPECT_TRUE(bench_.Has("base"));
  EXPECT_EQ(bench_.LastSession().counts().revisions(), 1);
  ExpectExact();
  bench_.upstream().AddProduct("Fabrikam/Base", "Fabrikam");
  bench_.Run();
  EXPECT_FALSE(bench_.Has("base"));
  ExpectExact();
}

}  // namespace
}  // namespace sluice
