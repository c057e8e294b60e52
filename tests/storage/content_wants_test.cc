#include "storage/content_wants.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/decisions.h"
#include "storage/memory_ordered_store.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

// Counts how often anything is looked for in a store.
class CountedStore : public OrderedStore {
 public:
  std::shared_ptr<const OrderedView> View() const override {
    return std::make_shared<CountedView>(store_.View(), *reads_);
  }
  absl::Status Write(const WriteSet& changes) override { return store_.Write(changes); }
  absl::StatusOr<std::unique_ptr<SortedIngest>> BeginIngest() override {
    return store_.BeginIngest();
  }
  int reads() const { return *reads_; }

 private:
  class CountedView : public OrderedView {
   public:
    CountedView(std::shared_ptr<const OrderedView> view, int& reads)
        : view_(std::move(view)), reads_(reads) {}
    absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override {
      ++reads_;
      return view_->Get(family, key);
    }
    std::unique_ptr<OrderedCursor> Scan(Family family, absl::string_view from,
                                        absl::string_view until) const override {
      ++reads_;
      return view_->Scan(family, from, until);
    }

   private:
    const std::shared_ptr<const OrderedView> view_;
    int& reads_;
  };

  MemoryOrderedStore store_;
  std::unique_ptr<int> reads_ = std::make_unique<int>(0);
};

ContentWants WantsOf(Catalog& catalog) {
  return ContentWants(
      catalog, [](const ContentInfo&) { return false; }, /*parallel=*/4);
}

Selection Everything(const Catalog& catalog) {
  return Selection::Expand(catalog.Read(), v1::Subscription()).value();
}

RecordKey PolicyOf(absl::string_view update) {
  return {v1::RECORD_KIND_POLICY, UpdateIdOf(update), 0, {}};
}

// Ten for each, once, which was a quarter of the time that an initial synchronisation took.
TEST(ContentWantsTest, ReadsLittleAboutUpdatesThatNobodyDecidedAbout) {
  constexpr int kUpdates = 10;
  CountedStore store;
  MemoryAnchor anchor;
  ManualClock clock(kNow);
  ASSERT_TRUE(Catalog::Create(store, anchor, Uuid::Random(), clock).ok());
  const std::unique_ptr<Catalog> catalog = *Catalog::Open(store, anchor);
  CatalogChange change;
  for (int i = 0; i < kUpdates; ++i) {
    change.Originate(*PackRevision(MakeRevision({.name = absl::StrCat("u", i)}), 0));
  }
  const absl::StatusOr<CommitOutcome> outcome = catalog->Commit(change);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  ContentWants wants = WantsOf(*catalog);
  const Selection selection = Everything(*catalog);
  const int before = store.reads();
  ASSERT_TRUE(wants.Recompute(selection, outcome->changed, kNow).ok());
  EXPECT_LE(store.reads() - before, 2 * kUpdates);
}

TEST(ContentWantsTest, WantsTheFilesOfARevisionThatComesAfterItsDecision) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "a", .contents = {"old"}});
  catalog.Approve("a");
  ContentWants wants = WantsOf(*catalog);
  const RecordKey next = catalog.AddUpdate({.name = "a", .contents = {"new"}});
  ASSERT_TRUE(wants.Recompute(Everything(*catalog), {next}, kNow).ok());
  EXPECT_EQ(wants.StateOf(Digest::Of("new")), v1::CONTENT_STATE_QUEUED);
}

TEST(ContentWantsTest, WantsNothingMoreWhenAllDecisionsAreGone) {
  TestCatalog catalog;
  catalog.AddUpdate({.name = "a", .contents = {"bytes"}});
  catalog.Approve("a");
  ContentWants wants = WantsOf(*catalog);
  const Selection selection = Everything(*catalog);
  ASSERT_TRUE(wants.Recompute(selection, {PolicyOf("a")}, kNow).ok());
  ASSERT_EQ(wants.wanted(), 1);
  const RecordColumns policy = catalog.Read().GetColumns(PolicyOf("a")).value();
  CatalogChange change;
  change.Leave(PolicyOf("a"), ShardId::FromBytes(policy.header.shard_id()).value());
  catalog.Commit(change);
  ASSERT_TRUE(wants.Recompute(selection, {PolicyOf("a")}, kNow).ok());
  EXPECT_EQ(wants.wanted(), 0);
  EXPECT_EQ(wants.approved_updates(), 0);
}

}  // namespace
}  // namespace sluice
