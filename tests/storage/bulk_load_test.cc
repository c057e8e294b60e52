#include "storage/bulk_load.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/catalog_keys.h"
#include "storage/header_scan.h"
#include "storage/memory_ordered_store.h"
#include "storage/pack_frame.h"
#include "storage/record_pack.h"
#include "storage/rocks_ordered_store.h"
#include "storage/selection.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/temporary_directory.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

// Something of everything: products, files shared by updates, prerequisites, decisions, an expiry,
// and what was deleted.
void Fill(TestCatalog& catalog) {
  catalog.AddProduct("Contoso/Agent");
  catalog.AddProduct("Contoso/Tool");
  for (int i = 0; i < 40; ++i) {
    const std::string name = "update " + std::to_string(i);
    UpdateFacts facts{.name = name, .title = name};
    facts.product = i % 3 == 0 ? "Contoso/Tool" : "Contoso/Agent";
    facts.contents = {"of all", "of " + name, "of all"};
    if (i > 0) facts.prerequisites = {"update " + std::to_string(i - 1)};
    catalog.AddUpdate(facts);
  }
  catalog.AddUpdate({.name = "update 7", .title = "the second revision"});
  catalog.Approve("update 3");
  catalog.Decline("update 4");
  v1::Expiry expiry;
  expiry.set_update_id(UpdateIdOf("update 5").bytes());
  expiry.set_reason("superseded");
  CatalogChange change;
  change.Originate(*PackExpiry(expiry, ShardOfRevision(MakeRevision({.name = "update 5"}))));
  change.Delete({v1::RECORD_KIND_REVISION, UpdateIdOf("update 9"), 1, {}});
  catalog.Commit(change);
}

// All of a catalog, a few records a pack.
std::vector<v1::LoadPack> PacksOf(const CatalogReader& reader, int records_a_pack) {
  std::vector<v1::LoadPack> packs;
  std::map<std::string, uint32_t> places;
  RecordPackWriter writer;
  v1::LoadPack pack;
  const auto close = [&] {
    pack.set_count(writer.count());
    pack.set_records(writer.Finish());
    packs.push_back(std::exchange(pack, v1::LoadPack()));
  };
  const auto cursor = reader.view().Scan(Family::kRecords, "", "");
  for (; cursor->Valid(); cursor->Next()) {
    const StoredParts stored = *SplitStored(cursor->value());
    HeaderFields header;
    EXPECT_TRUE(ScanHeader(stored.header, header));
    const auto [place, fresh] = places.emplace(header.shard_id, places.size());
    if (fresh) *pack.add_shards() = reader.Shard(*ShardId::FromBytes(header.shard_id))->definition;
    PackedRecord record;
    record.key = cursor->key();
    record.tombstone = header.state == v1::RECORD_STATE_TOMBSTONE;
    record.origin = header.origin;
    record.epoch_counter = header.epoch_counter;
    record.version = header.version;
    record.shard = place->second;
    record.codec = header.codec;
    record.digest = header.digest;
    record.payload_bytes = header.payload_bytes;
    record.body = stored.body;
    v1::Record parts;
    *parts.mutable_decisions() = DecodeHeader(cursor->value())->decisions();
    const std::string parts_bytes = parts.SerializeAsString();
    record.parts = parts_bytes;
    writer.Add(record);
    if (writer.count() == records_a_pack) close();
  }
  close();
  return packs;
}

struct Medium {
  std::string name;
  int threads = 0;
  std::function<std::unique_ptr<OrderedStore>(const std::string& directory)> make;
};

class BulkLoadTest : public ::testing::TestWithParam<Medium> {
 protected:
  void SetUp() override {
    Fill(source_);
    packs_ = PacksOf(source_.Read(), 6);
    if (GetParam().threads > 0) pool_ = std::make_unique<WorkerPool>(GetParam().threads);
    // Younger than the source, so that what it says is newer.
    ManualClock clock(absl::FromUnixSeconds(1'700'000'100));
    ASSERT_TRUE(Catalog::Create(*store_, anchor_, Uuid::Random(), clock).ok());
    Open();
  }

  void Open() {
    catalog_.reset();
    absl::StatusOr<std::unique_ptr<Catalog>> catalog = Catalog::Open(*store_, anchor_);
    ASSERT_TRUE(catalog.ok()) << catalog.status();
    catalog_ = *std::move(catalog);
  }

  std::unique_ptr<BulkLoad> Begin() {
    absl::StatusOr<std::unique_ptr<BulkLoad>> load = BulkLoad::Begin(*catalog_, pool_.get());
    EXPECT_TRUE(load.ok()) << load.status();
    return load.ok() ? *std::move(load) : nullptr;
  }

  // Adds all packs; what it comes to.
  static absl::StatusOr<Fingerprint> Feed(BulkLoad& load, std::vector<v1::LoadPack> packs) {
    for (v1::LoadPack& pack : packs) {
      if (absl::Status added = load.Add(std::move(pack)); !added.ok()) return added;
    }
    return load.Finish();
  }

  Fingerprint Theirs() const {
    const CatalogReader reader = source_.Read();
    return *SelectionFingerprint(reader, *Selection::Expand(reader, {}), catalog_->node_id());
  }

  static CatalogChange WithCursor() {
    v1::Cursor cursor;
    cursor.set_upstream_id(Uuid::FromName({}, "hq").bytes());
    cursor.set_seq(99);
    CatalogChange change;
    change.SetCursor(cursor);
    return change;
  }

  bool Empty() const {
    const CatalogReader reader = catalog_->Read();
    for (int i = 0; i < kFamilyCount; ++i) {
      const auto family = static_cast<Family>(i);
      if (family != Family::kState && reader.view().Scan(family, "", "")->Valid()) return false;
    }
    return true;
  }

  TemporaryDirectory directory_;
  TestCatalog source_;
  std::vector<v1::LoadPack> packs_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<OrderedStore> store_ = GetParam().make(directory_.path() + "/db");
  MemoryAnchor anchor_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_P(BulkLoadTest, TakesAWholeCatalogInWithOneCommit) {
  const std::unique_ptr<BulkLoad> load = Begin();
  const absl::StatusOr<Fingerprint> loaded = Feed(*load, packs_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(*loaded, Theirs());
  EXPECT_TRUE(Empty()) << "seen before the commit";
  const uint64_t commits = catalog_->Read().State()->commits();
  uint64_t told = 0;
  catalog_->Watch([&](const CommitOutcome& outcome) { told = outcome.head_seq; });
  const absl::StatusOr<CommitOutcome> outcome = load->Commit(WithCursor());
  ASSERT_TRUE(outcome.ok()) << outcome.status();

  const CatalogReader reader = catalog_->Read();
  EXPECT_EQ(reader.State()->commits(), commits + 1);
  EXPECT_EQ(told, catalog_->durable_head());
  EXPECT_EQ((*reader.GetCursor(Uuid::FromName({}, "hq")))->seq(), 99u);
  const absl::Status invariants = CheckInvariants(reader);
  EXPECT_TRUE(invariants.ok()) << invariants;
  EXPECT_EQ(*SelectionFingerprint(reader, *Selection::Expand(reader, {}), Uuid()), Theirs());
  EXPECT_EQ(load->counts().at(v1::RECORD_KIND_REVISION), 40);
  EXPECT_EQ(load->counts().at(v1::RECORD_KIND_POLICY), 2);
  EXPECT_EQ(load->counts().at(v1::RECORD_KIND_EXPIRY), 1);
}

TEST_P(BulkLoadTest, StoresWhatCommitAfterCommitWouldStore) {
  const std::unique_ptr<BulkLoad> load = Begin();
  ASSERT_TRUE(Feed(*load, packs_).ok());
  ASSERT_TRUE(load->Commit(CatalogChange()).ok());
  const CatalogReader theirs = source_.Read();
  const CatalogReader ours = catalog_->Read();
  const auto expected = theirs.view().Scan(Family::kRecords, "", "");
  const auto actual = ours.view().Scan(Family::kRecords, "", "");
  for (; expected->Valid(); expected->Next(), actual->Next()) {
    ASSERT_TRUE(actual->Valid());
    EXPECT_EQ(actual->key(), expected->key());
    stored::v1::RecordHeader header = *DecodeHeader(actual->value());
    header.set_seq(DecodeHeader(expected->value())->seq());
    EXPECT_EQ(header.SerializeAsString(), DecodeHeader(expected->value())->SerializeAsString());
    EXPECT_EQ(SplitStored(actual->value())->body, SplitStored(expected->value())->body);
  }
  EXPECT_FALSE(actual->Valid());
  EXPECT_EQ(ours.FileUses(Digest::Of("of all"))->size(), 39u);
  // It goes on as after any commit.
  const RecordKey key = {v1::RECORD_KIND_REVISION, UpdateIdOf("update 1"), 1, {}};
  CatalogChange change;
  change.Delete(key);
  ASSERT_TRUE(catalog_->Commit(change).ok());
  EXPECT_EQ(ReasonOf(catalog_->Read().GetRecord(key).status()), v1::REASON_ITEM_PURGED);
  EXPECT_TRUE(CheckInvariants(catalog_->Read()).ok());
}

TEST_P(BulkLoadTest, LeavesNothingWhenItIsGivenUp) {
  {
    const std::unique_ptr<BulkLoad> load = Begin();
    ASSERT_TRUE(Feed(*load, packs_).ok());
  }
  EXPECT_TRUE(Empty());
  EXPECT_TRUE(Feed(*Begin(), packs_).ok());
}

TEST_P(BulkLoadTest, IsForAnEmptyCatalogAlone) {
  const std::unique_ptr<BulkLoad> load = Begin();
  ASSERT_TRUE(Feed(*load, packs_).ok());
  // Somebody else was faster.
  v1::Category category;
  category.set_category_id(Uuid::FromName({}, "x").bytes());
  category.set_path("x");
  category.set_name("x");
  CatalogChange change;
  change.Originate(*PackCategory(category));
  ASSERT_TRUE(catalog_->Commit(change).ok());
  EXPECT_TRUE(absl::IsAborted(load->Commit(CatalogChange()).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(BulkLoad::Begin(*catalog_, pool_.get()).status()));
  EXPECT_TRUE(CheckInvariants(catalog_->Read()).ok());
}

TEST_P(BulkLoadTest, RefusesWhatIsNotSound) {
  const auto refused = [&](const std::function<void(std::vector<v1::LoadPack>&)>& alter) {
    std::vector<v1::LoadPack> packs = packs_;
    alter(packs);
    return ReasonOf(Feed(*Begin(), std::move(packs)).status()) == v1::REASON_ITEM_CORRUPT;
  };
  EXPECT_TRUE(refused([](auto& packs) { std::swap(packs[2], packs[3]); }));
  EXPECT_TRUE(refused([](auto& packs) { packs[1].set_count(5); }));
  EXPECT_TRUE(refused([](auto& packs) { packs[1].set_count(-1); }));
  EXPECT_TRUE(refused([](auto& packs) { packs[0].clear_shards(); }));
  EXPECT_TRUE(refused([](auto& packs) { packs[0].mutable_records()->pop_back(); }));
  EXPECT_TRUE(refused([](auto& packs) { *packs[0].add_shards() = packs[0].shards(0); }));
  EXPECT_TRUE(refused([this](auto& packs) {
    packs[0].mutable_shards(0)->set_kept_by(catalog_->node_id().bytes());
  }));
}

TEST_P(BulkLoadTest, TakesPacksInFramesAndRefusesDamagedOnes) {
  std::vector<v1::LoadPack> framed = packs_;
  PackFramer framer;
  for (v1::LoadPack& pack : framed) pack.set_records(framer.Frame(pack.records()));
  ASSERT_LT(framed[1].records().size(), packs_[1].records().size());
  EXPECT_EQ(*Feed(*Begin(), framed), Theirs());
  std::vector<v1::LoadPack> cut = framed;
  cut[1].mutable_records()->pop_back();
  EXPECT_EQ(ReasonOf(Feed(*Begin(), cut).status()), v1::REASON_ITEM_CORRUPT);
  std::vector<v1::LoadPack> too_large = framed;
  too_large[1].set_records(framer.Frame(std::string(kFramedPackBytesMax + 1, '\0')));
  EXPECT_EQ(ReasonOf(Feed(*Begin(), too_large).status()), v1::REASON_ITEM_CORRUPT);
  EXPECT_TRUE(Empty());
}

// A byte that was altered on the way is refused, or shows in the fingerprint, or is in a stamp, of
// which neither speaks.
TEST_P(BulkLoadTest, NoticesDamage) {
  std::mt19937 random(1);
  int noticed = 0;
  constexpr int kRounds = 60;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<v1::LoadPack> packs = packs_;
    std::string& records = *packs[random() % packs.size()].mutable_records();
    if (records.empty()) continue;
    records[random() % records.size()] ^= static_cast<char>(1 + random() % 255);
    const absl::StatusOr<Fingerprint> loaded = Feed(*Begin(), std::move(packs));
    if (!loaded.ok() || !(*loaded == Theirs())) ++noticed;
  }
  EXPECT_GT(noticed, kRounds * 3 / 4);
  EXPECT_TRUE(Empty());
}

INSTANTIATE_TEST_SUITE_P(
    Media, BulkLoadTest,
    ::testing::Values(Medium{"Memory", 0,
                             [](const std::string&) {
                               return std::make_unique<MemoryOrderedStore>();
                             }},
                      Medium{"Rocks", 2,
                             [](const std::string& directory) -> std::unique_ptr<OrderedStore> {
                               auto store = RocksOrderedStore::Create(directory);
                               EXPECT_TRUE(store.ok()) << store.status();
                               return *std::move(store);
                             }}),
    [](const ::testing::TestParamInfo<Medium>& medium) { return medium.param.name; });

// Fails when it is told to: as if the process had been killed between a commit and its anchor.
class BreakingAnchor : public MemoryAnchor {
 public:
  absl::Status Write(const AnchorState& state) override {
    return fail ? absl::UnavailableError("killed") : MemoryAnchor::Write(state);
  }
  bool fail = false;
};

class BrokenLoadTest : public ::testing::Test {
 protected:
  BrokenLoadTest() {
    Fill(source_);
    ManualClock clock(absl::FromUnixSeconds(1'700'000'000));
    EXPECT_TRUE(Catalog::Create(store_, anchor_, Uuid::Random(), clock).ok());
  }

  // Loads all and commits it.
  absl::Status Load(Catalog& catalog) {
    auto load = BulkLoad::Begin(catalog, nullptr);
    if (!load.ok()) return load.status();
    for (v1::LoadPack& pack : PacksOf(source_.Read(), 6)) {
      if (absl::Status added = (*load)->Add(std::move(pack)); !added.ok()) return added;
    }
    const absl::StatusOr<Fingerprint> finished = (*load)->Finish();
    return finished.ok() ? (*load)->Commit(CatalogChange()).status() : finished.status();
  }

  TestCatalog source_;
  MemoryOrderedStore store_;
  BreakingAnchor anchor_;
};

TEST_F(BrokenLoadTest, BeginsAnewWhenItWasKilledBeforeItsCommit) {
  {
    const auto catalog = *Catalog::Open(store_, anchor_);
    store_.FailWritesFrom(1);
    EXPECT_FALSE(Load(*catalog).ok());
  }
  store_.FailWritesFrom(0);
  const auto catalog = Catalog::Open(store_, anchor_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_TRUE((*catalog)->Read().Shards()->empty());
  EXPECT_EQ((*catalog)->durable_head(), 0u);
  ASSERT_TRUE(Load(**catalog).ok());
  EXPECT_TRUE(CheckInvariants((*catalog)->Read()).ok());
}

TEST_F(BrokenLoadTest, IsWholeWhenItWasKilledBeforeItsAnchor) {
  {
    const auto catalog = *Catalog::Open(store_, anchor_);
    anchor_.fail = true;
    EXPECT_FALSE(Load(*catalog).ok());
  }
  anchor_.fail = false;
  const auto catalog = Catalog::Open(store_, anchor_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_GT((*catalog)->durable_head(), 40u);
  EXPECT_TRUE(CheckInvariants((*catalog)->Read()).ok());
}

}  // namespace
}  // namespace sluice
