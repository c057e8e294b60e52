#include "tests/sim/sim_edits.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "storage/selection.h"
#include "tests/storage/test_catalog.h"
#include "upstream/catalog_cleanup.h"

namespace sluice {
namespace {

constexpr int kUpdates = 12;

std::string BytesOf(absl::string_view title) { return absl::StrCat("bytes of ", title); }

}  // namespace

std::string SimEdits::ProductPath(int index) { return absl::StrCat("Vendor/Product", index); }

void SimEdits::Edit() {
  if (!root_.up()) return;
  const int kind = Pick(11);
  if (kind < 4) return PutUpdate();
  if (kind < 8) return PutDecision(root_);
  if (kind < 9) return PutCategory();
  if (kind < 10) return PutNotice(root_);
  if (Pick(4) == 0) return CleanUp();
  PutExpiry();
}

void SimEdits::EditBelow(SimNode& node) {
  if (!node.up()) return;
  if (node.decides() && Pick(2) == 0) return PutDecision(node);
  PutNotice(node);
}

// Whether the commit succeeds or is the node's death: what was written may have been seen.
void SimEdits::Commit(SimNode& node, const CatalogChange& change) {
  const absl::StatusOr<CommitOutcome> outcome = node.catalog_->Commit(change);
  Remember(node);
  if (outcome.ok()) node.Handle(RecordsChanged{outcome->changed});
}

void SimEdits::Remember(const SimNode& node) {
  if (!node.decides()) return;
  const CatalogReader reader = node.catalog_->Read();
  for (const v1::RecordKind kind : {v1::RECORD_KIND_CATEGORY, v1::RECORD_KIND_REVISION,
                                    v1::RECORD_KIND_EXPIRY, v1::RECORD_KIND_POLICY}) {
    const auto rows = reader.List(kind, "", 1 << 20);
    ASSERT_TRUE(rows.ok()) << rows.status();
    for (const RecordColumns& row : *rows) {
      ever_.insert(row.header.digest());
      for (const v1::DecisionEntry& entry : row.header.decisions()) ever_.insert(entry.digest());
    }
  }
}

void SimEdits::PickPins(v1::Subscription& subscription) {
  std::vector<Uuid> pins;
  for (int count = Pick(3); count > 0; --count) {
    pins.push_back(UpdateIdOf(absl::StrCat("update", Pick(kUpdates))));
  }
  std::sort(pins.begin(), pins.end());
  pins.erase(std::unique(pins.begin(), pins.end()), pins.end());
  SetPicks(pins, subscription);
}

void SimEdits::StoreFile(const std::string& bytes) {
  auto writer = root_.content_.Write(Digest::Of(bytes), static_cast<int64_t>(bytes.size()));
  ASSERT_TRUE(writer.ok());
  if ((*writer)->staged_bytes() == 0) {
    ASSERT_TRUE((*writer)->Append(bytes).ok());
  }
  ASSERT_TRUE((*writer)->Commit().ok());
}

void SimEdits::RefetchFiles() {
  const auto rows = root_.catalog_->Read().List(v1::RECORD_KIND_REVISION, "", 1 << 20);
  ASSERT_TRUE(rows.ok()) << rows.status();
  for (const RecordColumns& row : *rows) StoreFile(BytesOf(row.header.title()));
}

UpdateFacts SimEdits::NextOffer() {
  UpdateFacts facts;
  facts.name = absl::StrCat("update", Pick(kUpdates));
  facts.title = absl::StrCat(facts.name, " build ", Pick(4));
  facts.product = ProductPath(Pick(kProducts));
  facts.classification = Pick(2) == 0 ? "Security Updates" : "Updates";
  facts.contents = {BytesOf(facts.title)};
  if (Pick(3) == 0) facts.languages = {Pick(2) == 0 ? "de" : "fr"};
  if (Pick(3) == 0) facts.prerequisites = {absl::StrCat("update", Pick(kUpdates))};
  // A source offers what it has again and again.
  const auto [offered, is_new] = offered_.try_emplace(facts.name, facts);
  const bool again = Pick(3) == 0;
  if (!is_new && !again) offered->second = facts;
  return offered->second;
}

void SimEdits::PutUpdate() {
  const UpdateFacts facts = NextOffer();
  StoreFile(facts.contents.front());
  CheckedRecord packed = *PackRevision(MakeRevision(facts), 0);
  const Uuid id = UpdateIdOf(facts.name);
  const bool purged = *root_.catalog_->Read().WasPurged(id, packed.record.digest());
  CatalogChange change;
  if (Pick(2) == 0) {
    change.Originate(std::move(packed));
    return Commit(root_, change);
  }
  // As a source would offer it.
  change.Import(std::move(packed));
  Commit(root_, change);
  EXPECT_TRUE(!purged || !root_.catalog_->Read().CurrentRevision(id).ok())
      << facts.name << " came back though it was deleted";
}

void SimEdits::PutDecision(SimNode& node) {
  const std::string update = absl::StrCat("update", Pick(kUpdates));
  const CatalogReader reader = node.catalog_->Read();
  const auto current = reader.CurrentRevision(UpdateIdOf(update));
  if (!current.ok()) return;
  v1::Decision decision = Pick(3) == 0
                              ? MakeDecline(update)
                              : MakeApproval(update, GroupIdOfName(absl::StrCat("g", Pick(2))));
  decision.set_cleared(Pick(3) == 0);
  auto shard = reader.Shard(*ShardId::FromBytes(current->header.shard_id()));
  ASSERT_TRUE(shard.ok()) << shard.status();
  shard->definition.clear_kept_by();
  CatalogChange change;
  change.Originate(*PackPolicy(UpdateIdOf(update), {*PackDecision(decision)},
                               ShardInStream(shard->definition, v1::STREAM_KIND_POLICY)));
  Commit(node, change);
}

// Holds end before the tree has to be quiet.
void SimEdits::PutNotice(SimNode& node) {
  const std::string update = absl::StrCat("update", Pick(kUpdates));
  const Uuid& self = node.catalog_->node_id();
  const absl::Duration length = absl::Seconds(Pick(600));
  CatalogChange change;
  switch (Pick(3)) {
    case 0:
      change.Delete({v1::RECORD_KIND_SITE, SiteNoticeId(self, UpdateIdOf(update)), 0, {}});
      break;
    case 1:
      change.Originate(*PackSiteNotice(MakeHold(update, self, node.clock_.Now() + length)));
      break;
    default:
      change.Originate(*PackSiteNotice(MakeSuppression(update, self)));
  }
  Commit(node, change);
}

void SimEdits::PutCategory() {
  const int index = Pick(kProducts);
  v1::Category category;
  const std::string path = ProductPath(index);
  category.set_category_id(ProductIdOfPath(path).bytes());
  category.set_kind(v1::CATEGORY_KIND_PRODUCT);
  // Products hang below the vendor or below each other; circles do no harm.
  const int parent = Pick(kProducts + 1);
  category.set_parent_id(
      ProductIdOfPath(parent == kProducts ? "Vendor" : ProductPath(parent)).bytes());
  category.set_path(path);
  category.set_name(path);
  CatalogChange change;
  change.Originate(*PackCategory(category));
  Commit(root_, change);
}

void SimEdits::PutExpiry() {
  const std::string update = absl::StrCat("update", Pick(kUpdates));
  const CatalogReader reader = root_.catalog_->Read();
  const RecordKey key = {v1::RECORD_KIND_EXPIRY, UpdateIdOf(update), 0, {}};
  CatalogChange change;
  if (reader.GetColumns(key).ok()) {
    change.Delete(key);
  } else {
    const auto current = reader.CurrentRevision(UpdateIdOf(update));
    if (!current.ok()) return;
    v1::Expiry expiry;
    expiry.set_update_id(UpdateIdOf(update).bytes());
    expiry.set_reason(absl::StrCat("gone ", Pick(3)));
    const auto shard = reader.Shard(*ShardId::FromBytes(current->header.shard_id()));
    change.Originate(*PackExpiry(expiry, shard->definition));
  }
  Commit(root_, change);
}

// Whatever may go, in commits that a fault may break off.
void SimEdits::CleanUp() {
  v1::CleanUpCatalogRequest request;
  request.set_old_revisions(Pick(2) == 0);
  request.set_expired(Pick(2) == 0);
  request.set_superseded(Pick(2) == 0);
  request.set_declined(true);
  request.set_older_than_days(0);
  request.set_revisions_max(Pick(4));
  request.set_confirmed(true);
  CatalogCleanup(*root_.catalog_, root_.content_, root_.clock_)
      .Run(request, absl::InfiniteFuture(),
           [](absl::string_view, absl::string_view, CatalogChange&) {})
      .IgnoreError();
  Remember(root_);
}

}  // namespace sluice
