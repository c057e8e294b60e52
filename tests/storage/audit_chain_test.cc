#include "storage/audit_chain.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/catalog_keys.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class AuditChainTest : public ::testing::Test {
 protected:
  void Add(const std::string& subject) {
    v1::AuditEntry entry;
    entry.set_actor("somebody");
    entry.set_action("approve");
    entry.set_subject(subject);
    CatalogChange change;
    change.AddAuditEntry(entry);
    ASSERT_TRUE(catalog_->Commit(change).ok());
  }
  void AddThree() {
    for (const char* subject : {"one", "two", "three"}) Add(subject);
  }
  v1::AuditEntry Entry(uint64_t id) const {
    return *catalog_.Read().GetRow<v1::AuditEntry>(Family::kAudit, EncodeSeq(id));
  }
  // Writes a row as one would who has the disk.
  void Overwrite(uint64_t id, const v1::AuditEntry& entry) {
    CatalogChange change;
    change.PutRow(Family::kAudit, EncodeSeq(id), entry);
    ASSERT_TRUE(catalog_->Commit(change).ok());
  }
  void Remove(uint64_t id) {
    CatalogChange change;
    change.DeleteRow(Family::kAudit, EncodeSeq(id));
    ASSERT_TRUE(catalog_->Commit(change).ok());
  }
  std::string Problem() const { return VerifyAuditChain(catalog_.Read())->problem(); }

  TestCatalog catalog_;
};

TEST_F(AuditChainTest, IsUnbrokenWhenNobodyTouchedIt) {
  EXPECT_EQ(Problem(), "");
  AddThree();
  const v1::VerifyAuditResponse verified = *VerifyAuditChain(catalog_.Read());
  EXPECT_EQ(verified.problem(), "");
  EXPECT_EQ(verified.entries(), 3);
  EXPECT_EQ(verified.head_hash(), Entry(3).hash());
  EXPECT_EQ(Entry(1).previous_hash(), Digest().bytes());
  EXPECT_EQ(Entry(2).previous_hash(), Entry(1).hash());
}

TEST_F(AuditChainTest, NamesAnEntryThatWasChanged) {
  AddThree();
  v1::AuditEntry entry = Entry(2);
  entry.set_actor("nobody");
  Overwrite(2, entry);
  EXPECT_EQ(Problem(), "entry 2 was changed");
}

TEST_F(AuditChainTest, NamesTheOneAfterAChangeWithAHashOfItsOwn) {
  AddThree();
  v1::AuditEntry entry = Entry(2);
  entry.set_actor("nobody");
  entry.set_hash(HashOfAuditEntry(entry).bytes());
  Overwrite(2, entry);
  EXPECT_EQ(Problem(), "entry 3 does not follow the one before it");
}

TEST_F(AuditChainTest, NoticesWhatIsMissing) {
  AddThree();
  Remove(2);
  EXPECT_EQ(Problem(), "entry 2 is missing; 3 follows");
}

TEST_F(AuditChainTest, NoticesAMissingEnd) {
  AddThree();
  Remove(3);
  EXPECT_THAT(Problem(), HasSubstr("the end is missing: there are 2 entries, and 3 were made"));
}

TEST_F(AuditChainTest, ChainsSeveralEntriesOfOneCommit) {
  CatalogChange change;
  for (int i = 0; i < 3; ++i) {
    v1::AuditEntry entry;
    entry.set_subject(absl::StrCat(i));
    change.AddAuditEntry(entry);
  }
  ASSERT_TRUE(catalog_->Commit(change).ok());
  EXPECT_EQ(Problem(), "");
  EXPECT_EQ(Entry(3).subject(), "2");
}

}  // namespace
}  // namespace sluice
