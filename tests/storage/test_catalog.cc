#include "tests/storage/test_catalog.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/decisions.h"
#include "storage/payload.h"

namespace sluice {

Uuid UpdateIdOf(absl::string_view name) {
  return Uuid::FromName(IdNamespace(), absl::StrCat("test-update:", name));
}

v1::Revision MakeRevision(const UpdateFacts& facts) {
  v1::Revision revision;
  revision.set_update_id(UpdateIdOf(facts.name).bytes());
  v1::LocalizedText& text = *revision.add_texts();
  text.set_language("en");
  text.set_title(facts.title.empty() ? facts.name : facts.title);
  revision.add_product_ids(ProductIdOfPath(facts.product).bytes());
  revision.set_classification_id(ClassificationIdOfName(facts.classification).bytes());
  for (size_t i = 0; i < facts.contents.size(); ++i) {
    v1::UpdateFile& file = *revision.add_files();
    file.set_sha256(Digest::Of(facts.contents[i]).bytes());
    file.set_size_bytes(static_cast<int64_t>(facts.contents[i].size()));
    file.set_name(absl::StrCat(facts.name, "-", i, ".bin"));
    file.mutable_languages()->Add(facts.languages.begin(), facts.languages.end());
  }
  for (const std::string& name : facts.prerequisites) {
    revision.add_prerequisites()->add_update_ids(UpdateIdOf(name).bytes());
  }
  return revision;
}

v1::Decision MakeApproval(absl::string_view update, const Uuid& group) {
  v1::Decision decision;
  decision.set_update_id(UpdateIdOf(update).bytes());
  decision.set_key(ApprovalKey(group));
  decision.set_action(v1::APPROVAL_ACTION_INSTALL);
  decision.set_decided_by("test");
  return decision;
}

v1::Decision MakeDecline(absl::string_view update) {
  v1::Decision decision;
  decision.set_update_id(UpdateIdOf(update).bytes());
  decision.set_key(std::string(kDeclineKey));
  decision.set_decided_by("test");
  return decision;
}

v1::SiteNotice MakeHold(absl::string_view update, const Uuid& node, absl::Time until) {
  v1::SiteNotice notice;
  notice.set_node_id(node.bytes());
  notice.set_update_id(UpdateIdOf(update).bytes());
  *notice.mutable_held_until() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(until));
  return notice;
}

v1::SiteNotice MakeSuppression(absl::string_view update, const Uuid& node) {
  v1::SiteNotice notice;
  notice.set_node_id(node.bytes());
  notice.set_update_id(UpdateIdOf(update).bytes());
  notice.set_suppressed(true);
  return notice;
}

TestCatalog::TestCatalog(absl::Time start, const Uuid& node_id, v1::NodeMode mode) : clock_(start) {
  EXPECT_TRUE(Catalog::Create(store_, anchor_, node_id, clock_, mode).ok());
  absl::StatusOr<std::unique_ptr<Catalog>> catalog = Catalog::Open(store_, anchor_);
  EXPECT_TRUE(catalog.ok()) << catalog.status();
  catalog_ = *std::move(catalog);
}

CommitOutcome TestCatalog::Commit(const CatalogChange& change) {
  const absl::StatusOr<CommitOutcome> outcome = catalog_->Commit(change);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return outcome.value_or(CommitOutcome());
}

RecordKey TestCatalog::AddUpdate(const UpdateFacts& facts) {
  absl::StatusOr<CheckedRecord> packed = PackRevision(MakeRevision(facts), 0);
  EXPECT_TRUE(packed.ok()) << packed.status();
  CatalogChange change;
  change.Originate(*std::move(packed));
  const CommitOutcome outcome = Commit(change);
  return outcome.changed.empty() ? RecordKey() : outcome.changed.front();
}

void TestCatalog::AddProduct(absl::string_view path, absl::string_view parent) {
  const std::vector<std::string> names = absl::StrSplit(path, '/');
  CatalogChange change;
  std::string above;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string here = above.empty() ? names[i] : absl::StrCat(above, "/", names[i]);
    if (i + 1 == names.size() && !parent.empty()) above = std::string(parent);
    v1::Category category;
    category.set_category_id(ProductIdOfPath(here).bytes());
    category.set_kind(above.empty() ? v1::CATEGORY_KIND_VENDOR : v1::CATEGORY_KIND_PRODUCT);
    if (!above.empty()) category.set_parent_id(ProductIdOfPath(above).bytes());
    category.set_path(here);
    category.set_name(names[i]);
    absl::StatusOr<CheckedRecord> packed = PackCategory(category);
    EXPECT_TRUE(packed.ok()) << packed.status();
    change.Originate(*std::move(packed));
    above = here;
  }
  Commit(change);
}

void TestCatalog::Decide(const v1::Decision& decision) {
  const Uuid update = *Uuid::FromBytes(decision.update_id());
  const absl::StatusOr<RecordColumns> current = Read().CurrentRevision(update);
  ASSERT_TRUE(current.ok()) << current.status();
  const absl::StatusOr<v1::Revision> revision =
      UnpackRevision(Read().GetRecord(current->key).value());
  ASSERT_TRUE(revision.ok()) << revision.status();
  const absl::StatusOr<v1::DecisionEntry> entry = PackDecision(decision);
  ASSERT_TRUE(entry.ok()) << entry.status();
  absl::StatusOr<CheckedRecord> packed = PackPolicy(
      update, {*entry}, ShardInStream(ShardOfRevision(*revision), v1::STREAM_KIND_POLICY));
  ASSERT_TRUE(packed.ok()) << packed.status();
  CatalogChange change;
  change.Originate(*std::move(packed));
  Commit(change);
}

void TestCatalog::Approve(absl::string_view update) {
  Decide(MakeApproval(update, GroupIdOfName(kAllComputersGroup)));
}

void TestCatalog::Decline(absl::string_view update) { Decide(MakeDecline(update)); }

void TestCatalog::ClearDecline(absl::string_view update) {
  v1::Decision decision = MakeDecline(update);
  decision.set_cleared(true);
  Decide(decision);
}

}  // namespace sluice
