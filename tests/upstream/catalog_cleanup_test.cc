#include "upstream/catalog_cleanup.h"

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/file_release.h"
#include "storage/memory_content_store.h"
#include "storage/payload.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CatalogCleanupTest : public ::testing::Test {
 protected:
  // Old ones and everything else, however young, however many, unless a test says otherwise.
  CatalogCleanupTest() {
    request_.set_older_than_days(0);
    request_.set_confirmed(true);
  }

  absl::StatusOr<v1::CleanUpCatalogResponse> Run(absl::Time stop_at = absl::InfiniteFuture()) {
    const auto note = [](absl::string_view subject, absl::string_view detail,
                         CatalogChange& change) {
      v1::AuditEntry entry;
      entry.set_action("clean up");
      entry.set_subject(std::string(subject));
      entry.set_detail(std::string(detail));
      change.AddAuditEntry(entry);
    };
    return CatalogCleanup(*catalog_, content_, clock_).Run(request_, stop_at, note);
  }

  bool Has(const std::string& update) {
    return catalog_.Read().CurrentRevision(UpdateIdOf(update)).ok();
  }

  void Expire(const std::string& update) {
    v1::Expiry expiry;
    expiry.set_update_id(UpdateIdOf(update).bytes());
    expiry.set_reason("gone");
    const CatalogReader reader = catalog_.Read();
    const auto shard = reader.Shard(
        *ShardId::FromBytes(reader.CurrentRevision(UpdateIdOf(update))->header.shard_id()));
    CatalogChange change;
    change.Originate(*PackExpiry(expiry, shard->definition));
    catalog_.Commit(change);
  }

  void Add(const v1::Revision& revision) {
    CatalogChange change;
    change.Originate(*PackRevision(revision, 0));
    catalog_.Commit(change);
  }

  void AddDebian(const std::string& name, const std::string& version) {
    v1::Revision revision = MakeRevision({.name = name});
    revision.mutable_debian()->set_source_package("openssl");
    revision.mutable_debian()->set_source_version(version);
    Add(revision);
  }

  void StoreFile(const std::string& bytes) {
    auto writer = content_.Write(Digest::Of(bytes), static_cast<int64_t>(bytes.size()));
    ASSERT_TRUE((*writer)->Append(bytes).ok());
    ASSERT_TRUE((*writer)->Commit().ok());
  }
  bool HasFile(const std::string& bytes) { return content_.Stat(Digest::Of(bytes)).ok(); }

  void Lease(const std::string& update, absl::Time expires_at) {
    v1::Lease lease =
        MakeLease(Uuid::FromName({}, "site"), {UpdateIdOf(update)}, expires_at - kLeaseTime);
    CatalogChange change;
    change.PutRow(Family::kLeases, lease.node_id(), lease);
    catalog_.Commit(change);
  }

  std::vector<v1::AuditEntry> Audit() {
    const auto rows = catalog_.Read().ListRows<v1::AuditEntry>(Family::kAudit, "", "", 1000);
    EXPECT_TRUE(rows.ok()) << rows.status();
    std::vector<v1::AuditEntry> entries;
    for (const auto& [key, entry] : *rows) entries.push_back(entry);
    return entries;
  }

  TestCatalog catalog_;
  MemoryContentStore content_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  v1::CleanUpCatalogRequest request_;
};

TEST_F(CatalogCleanupTest, DeletesOldRevisionsThatNoDecisionNames) {
  catalog_.AddUpdate({.name = "a", .title = "first"});
  const auto first = catalog_.Read().CurrentRevision(UpdateIdOf("a"));
  catalog_.AddUpdate({.name = "a", .title = "second"});
  catalog_.AddUpdate({.name = "a", .title = "third"});
  v1::Decision decision = MakeApproval("a", Uuid::FromName({}, "group"));
  decision.set_revision_digest(first->header.digest());
  catalog_.Decide(decision);
  request_.set_old_revisions(true);

  const auto response = Run();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->revisions_deleted(), 1);
  EXPECT_EQ(response->updates_deleted(), 0);
  const auto left = catalog_.Read().Revisions(UpdateIdOf("a"));
  ASSERT_THAT(*left, SizeIs(2));
  EXPECT_EQ(left->front().header.title(), "first") << "it is the approved one";
  EXPECT_EQ(left->back().header.title(), "third");
  EXPECT_EQ(CheckInvariants(catalog_.Read()), absl::OkStatus());
}

TEST_F(CatalogCleanupTest, DeletesExpiredUpdatesWithoutApprovalAndAllThatIsAboutThem) {
  for (const char* name : {"gone", "approved", "here"}) catalog_.AddUpdate({.name = name});
  catalog_.Decline("gone");
  catalog_.ClearDecline("gone");
  catalog_.Approve("approved");
  Expire("gone");
  Expire("approved");
  request_.set_expired(true);

  const auto response = Run();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->updates_deleted(), 1);
  EXPECT_FALSE(Has("gone"));
  EXPECT_TRUE(Has("approved"));
  EXPECT_TRUE(Has("here"));
  for (const v1::RecordKind kind : {v1::RECORD_KIND_POLICY, v1::RECORD_KIND_EXPIRY}) {
    const auto record = catalog_.Read().GetRecord({kind, UpdateIdOf("gone"), 0, {}});
    EXPECT_EQ(ReasonOf(record.status()), v1::REASON_ITEM_PURGED) << record.status();
  }
  EXPECT_EQ(response->seq(), catalog_->durable_head());
}

TEST_F(CatalogCleanupTest, DeletesWhatAnApprovedUpdateSupersedes) {
  for (const char* name : {"old", "old-approved", "old-needed", "of-unapproved"}) {
    catalog_.AddUpdate({.name = name});
  }
  v1::Revision newer = MakeRevision({.name = "new", .prerequisites = {"old-needed"}});
  std::set<std::string> supersedes;
  for (const char* name : {"old", "old-approved", "old-needed"}) {
    supersedes.insert(UpdateIdOf(name).bytes());
  }
  newer.mutable_supersedes()->Add(supersedes.begin(), supersedes.end());
  Add(newer);
  v1::Revision unapproved = MakeRevision({.name = "unapproved"});
  unapproved.add_supersedes(UpdateIdOf("of-unapproved").bytes());
  Add(unapproved);
  catalog_.Approve("new");
  catalog_.Approve("old-approved");
  request_.set_superseded(true);

  const auto response = Run();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->updates_deleted(), 1);
  EXPECT_FALSE(Has("old"));
  EXPECT_TRUE(Has("old-approved"));
  EXPECT_TRUE(Has("old-needed")) << "the approved one needs it";
  EXPECT_TRUE(Has("of-unapproved"));
}

// By dpkg's order, in which 1.10 is newer than 1.9.
TEST_F(CatalogCleanupTest, DerivesSupersedenceOfDebianPackagesFromTheirVersions) {
  AddDebian("a", "1.9");
  AddDebian("b", "1.10");
  AddDebian("c", "1.11");
  catalog_.Approve("b");
  request_.set_superseded(true);
  ASSERT_TRUE(Run().ok());
  EXPECT_FALSE(Has("a"));
  EXPECT_TRUE(Has("b"));
  EXPECT_TRUE(Has("c")) << "nothing newer is approved";
}

TEST_F(CatalogCleanupTest, DeletesDeclinedUpdates) {
  catalog_.AddUpdate({.name = "a"});
  catalog_.AddUpdate({.name = "b"});
  catalog_.Decline("a");
  request_.set_declined(true);
  EXPECT_EQ(Run()->updates_deleted(), 1);
  EXPECT_FALSE(Has("a"));
  EXPECT_TRUE(Has("b"));
}

TEST_F(CatalogCleanupTest, LeavesWhatChangedLately) {
  catalog_.AddUpdate({.name = "a"});
  catalog_.Decline("a");
  request_.set_declined(true);
  request_.set_older_than_days(10);
  EXPECT_EQ(Run()->updates_deleted(), 0) << "nothing is known of when it changed";
  CatalogChange note;
  ASSERT_TRUE(NoteSeqTime(catalog_.Read(), clock_.Now(), note).ok());
  catalog_.Commit(note);
  clock_.Advance(absl::Hours(9 * 24));
  EXPECT_EQ(Run()->updates_deleted(), 0);
  clock_.Advance(absl::Hours(2 * 24));
  EXPECT_EQ(Run()->updates_deleted(), 1);
}

TEST_F(CatalogCleanupTest, TakesTheOldestFirstWhenItsNumberIsLimited) {
  for (const char* name : {"b", "a", "c"}) {
    catalog_.AddUpdate({.name = name});
    catalog_.Decline(name);
  }
  request_.set_declined(true);
  request_.set_revisions_max(1);
  EXPECT_EQ(Run()->revisions_deleted(), 1);
  EXPECT_FALSE(Has("b")) << "it was declined first";
  EXPECT_TRUE(Has("a"));
}

TEST_F(CatalogCleanupTest, IsHeldAboveItsShareUntilItIsConfirmed) {
  for (int i = 0; i < 4; ++i) catalog_.AddUpdate({.name = absl::StrCat("u", i)});
  catalog_.Decline("u0");
  request_.set_declined(true);
  request_.set_confirmed(false);
  const auto held = Run();
  EXPECT_EQ(ReasonOf(held.status()), v1::REASON_GUARD_HELD);
  EXPECT_THAT(std::string(held.status().message()), HasSubstr("2 of 5 records"));
  EXPECT_TRUE(Has("u0"));
  request_.set_confirmed(true);
  EXPECT_TRUE(Run().ok());
  EXPECT_FALSE(Has("u0"));
}

TEST_F(CatalogCleanupTest, ADryRunSaysWhatWouldGoAndChangesNothing) {
  catalog_.AddUpdate({.name = "a", .title = "A", .contents = {"of a", "of both"}});
  catalog_.AddUpdate({.name = "b", .contents = {"of both"}});
  StoreFile("of a");
  StoreFile("of both");
  catalog_.Decline("a");
  request_.set_declined(true);
  request_.set_validate_only(true);
  const uint64_t head = catalog_->durable_head();
  const auto planned = Run();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(catalog_->durable_head(), head);
  EXPECT_THAT(planned->titles(), ElementsAre("A"));
  EXPECT_EQ(planned->files_freed(), 1);
  EXPECT_EQ(planned->bytes_freed(), 4);
  request_.set_validate_only(false);
  const auto done = Run();
  EXPECT_EQ(done->revisions_deleted(), planned->revisions_deleted());
  EXPECT_EQ(done->files_freed(), planned->files_freed());
  EXPECT_EQ(done->bytes_freed(), planned->bytes_freed());
  EXPECT_FALSE(HasFile("of a"));
  EXPECT_TRUE(HasFile("of both"));
}

TEST_F(CatalogCleanupTest, LeavesWhatALeaseInForceNames) {
  for (const char* name : {"leased", "lapsed"}) {
    catalog_.AddUpdate({.name = name});
    catalog_.Decline(name);
  }
  Lease("leased", clock_.Now() + absl::Hours(1));
  request_.set_declined(true);
  const auto response = Run();
  EXPECT_EQ(response->revisions_deleted(), 1);
  EXPECT_EQ(response->leased(), 1);
  EXPECT_TRUE(Has("leased"));
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(Run()->leased(), 0);
  EXPECT_FALSE(Has("leased")) << "a lapsed lease protects nothing";
}

TEST_F(CatalogCleanupTest, DeletesInCommitsOfBoundedSizeEachWithItsAuditEntry) {
  constexpr int kUpdates = 600;
  for (int i = 0; i < kUpdates; ++i) {
    catalog_.AddUpdate({.name = absl::StrCat("u", i)});
    catalog_.Decline(absl::StrCat("u", i));
  }
  request_.set_declined(true);
  EXPECT_EQ(Run()->updates_deleted(), kUpdates);
  const std::vector<v1::AuditEntry> audit = Audit();
  ASSERT_THAT(audit, SizeIs(3));  // 1,200 records with their policies.
  EXPECT_EQ(audit[0].subject(), "500 records");
  EXPECT_THAT(audit[0].detail(), HasSubstr("declined: "));
  EXPECT_EQ(audit[2].subject(), "200 records");
}

TEST_F(CatalogCleanupTest, AnotherRunGoesOnWhereOneEnded) {
  catalog_.AddUpdate({.name = "a", .contents = {"of a"}});
  StoreFile("of a");
  // As if the process had ended between the deletion and the release of its files.
  CatalogChange change;
  change.Delete(catalog_.Read().CurrentRevision(UpdateIdOf("a"))->key);
  NoteForRelease(Digest::Of("of a"), change);
  catalog_.Commit(change);
  catalog_.AddUpdate({.name = "b"});
  catalog_.Decline("b");
  request_.set_declined(true);
  EXPECT_EQ(Run(absl::InfinitePast())->revisions_deleted(), 0) << "its time was over";
  EXPECT_FALSE(HasFile("of a"));
  EXPECT_EQ(Run()->revisions_deleted(), 1);
}

TEST_F(CatalogCleanupTest, WhatWasDeletedStaysDeletedUntilItIsNewsOrPublished) {
  const auto import = [this](const std::string& title) {
    CatalogChange change;
    change.Import(*PackRevision(MakeRevision({.name = "a", .title = title}), 0));
    catalog_.Commit(change);
  };
  import("first");
  catalog_.Decline("a");
  request_.set_declined(true);
  ASSERT_TRUE(Run().ok());
  import("first");
  EXPECT_FALSE(Has("a")) << "its source merely goes on offering it";
  import("second");
  EXPECT_TRUE(Has("a"));

  catalog_.Decline("a");
  ASSERT_TRUE(Run().ok());
  import("second");
  EXPECT_FALSE(Has("a"));
  catalog_.AddUpdate({.name = "a", .title = "second"});
  EXPECT_TRUE(Has("a")) << "an operator published it";
  import("second");
  EXPECT_THAT(*catalog_.Read().Revisions(UpdateIdOf("a")), SizeIs(1));
  EXPECT_EQ(CheckInvariants(catalog_.Read()), absl::OkStatus());
}

TEST_F(CatalogCleanupTest, ASourceThatGoesBackToAnOldRevisionBringsItBack) {
  const auto import = [this](const std::string& title) {
    CatalogChange change;
    change.Import(*PackRevision(MakeRevision({.name = "a", .title = title}), 0));
    catalog_.Commit(change);
  };
  import("first");
  import("second");
  request_.set_old_revisions(true);
  EXPECT_EQ(Run()->revisions_deleted(), 1);
  import("first");
  EXPECT_EQ(catalog_.Read().CurrentRevision(UpdateIdOf("a"))->header.title(), "first");
}

TEST_F(CatalogCleanupTest, RefusesARequestThatChoosesNothing) {
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kInvalidArgument);
  request_.set_declined(true);
  request_.set_older_than_days(-1);
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Audit(), IsEmpty());
}

}  // namespace
}  // namespace sluice
