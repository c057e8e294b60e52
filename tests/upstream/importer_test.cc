#include "upstream/importer.h"

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "tests/storage/test_catalog.h"
#include "tests/upstream/fake_source.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const RecordKey kExpiryOfA = {v1::RECORD_KIND_EXPIRY, UpdateIdOf("a"), 0, {}};

// A catalog that imports from one source.
class ImporterTest : public ::testing::Test {
 protected:
  // One import from the beginning to the end; returns its session.
  v1::Session Import() {
    EXPECT_TRUE(sessions_.Begin(v1::SYNC_TRIGGER_OPERATOR, clock_.Now(), random_).ok());
    const absl::Status status =
        Importer(*catalog_, clock_).Import(source_, sessions_, stop_.get_token());
    EXPECT_TRUE(sessions_.End(status, clock_.Now()).ok());
    return sessions_.session();
  }

  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  absl::BitGen random_;
  std::stop_source stop_;
  SessionLog sessions_{*catalog_, "fake"};
  FakeSource source_{"fake"};
};

TEST_F(ImporterTest, TakesInWhatTheSourceOffersWithTheOriginsOfItsFiles) {
  source_.Offer({{.name = "a", .contents = {"bytes of a"}}, {.name = "b"}});
  const v1::Session session = Import();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(session.method(), v1::SYNC_METHOD_IMPORT);
  EXPECT_EQ(session.counts().revisions(), 2);
  EXPECT_EQ(session.counts().categories(), 3);
  EXPECT_TRUE(catalog_.Read().CurrentRevision(UpdateIdOf("a")).ok());
  const auto origin = catalog_.Read().GetRow<stored::v1::ContentOrigin>(
      Family::kContentOrigins, Digest::Of("bytes of a").view());
  ASSERT_TRUE(origin.ok()) << origin.status();
  EXPECT_EQ(origin->source(), "fake");
}

TEST_F(ImporterTest, WritesNoRecordsWhenTheSourceDidNotChange) {
  source_.Offer({{.name = "a"}});
  Import();
  const uint64_t head = catalog_->durable_head();
  const v1::Session session = Import();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(session.method(), v1::SYNC_METHOD_NONE);
  EXPECT_EQ(catalog_->durable_head(), head);
}

TEST_F(ImporterTest, WritesNoRecordsWhenTheSameIsOfferedUnderAnotherState) {
  source_.Offer({{.name = "a", .contents = {"x"}}});
  Import();
  const uint64_t head = catalog_->durable_head();
  source_.Offer({{.name = "a", .contents = {"x"}}});
  const v1::Session session = Import();
  EXPECT_EQ(session.counts().revisions(), 0);
  EXPECT_EQ(session.counts().categories(), 0);
  EXPECT_EQ(catalog_->durable_head(), head);
}

TEST_F(ImporterTest, MakesANewRevisionOfAChangedUpdateAlone) {
  source_.Offer({{.name = "a", .title = "first"}, {.name = "b"}});
  Import();
  source_.Offer({{.name = "a", .title = "second"}, {.name = "b"}});
  EXPECT_EQ(Import().counts().revisions(), 1);
  EXPECT_THAT(*catalog_.Read().Revisions(UpdateIdOf("a")), SizeIs(2));
  EXPECT_EQ(catalog_.Read().CurrentRevision(UpdateIdOf("a"))->header.title(), "second");
}

TEST_F(ImporterTest, MarksAVanishedUpdateAsExpiredAndKeepsItAndItsDecisions) {
  source_.Offer({{.name = "a"}, {.name = "b"}});
  Import();
  catalog_.Approve("a");
  source_.Offer({{.name = "b"}});
  EXPECT_EQ(Import().counts().expiries(), 1);
  const absl::StatusOr<UpdateStanding> standing = StandingOf(catalog_.Read(), UpdateIdOf("a"));
  ASSERT_TRUE(standing.ok()) << standing.status();
  EXPECT_TRUE(standing->current.has_value());
  EXPECT_TRUE(standing->expiry.has_value());
  EXPECT_TRUE(standing->approved());
}

TEST_F(ImporterTest, TakesTheMarkOffWhatCameBack) {
  source_.Offer({{.name = "a"}});
  Import();
  source_.Offer({});
  Import();
  EXPECT_TRUE(catalog_.Read().GetRecord(kExpiryOfA).ok());
  source_.Offer({{.name = "a"}});
  EXPECT_EQ(Import().counts().deleted(), 1);
  EXPECT_FALSE(catalog_.Read().GetRecord(kExpiryOfA).ok());
}

// By dpkg's order, in which 1.10 is newer than 1.9.
TEST_F(ImporterTest, NamesTheNewestVersionOfASourcePackageAsTheSuccessor) {
  const auto offer = [this](const std::vector<std::pair<std::string, std::string>>& versions) {
    std::vector<UpdateFacts> updates;
    for (const auto& [name, version] : versions) updates.push_back({.name = name});
    source_.Offer(updates);
    source_.Change([&versions](SourceCatalog& catalog) {
      size_t i = 0;
      for (const auto& [name, version] : versions) {
        v1::DebianDetails& debian = *catalog.revisions[i++].mutable_debian();
        debian.set_source_package("openssl");
        debian.set_source_version(version);
      }
    });
  };
  const auto successor = [this](const std::string& name) {
    const RecordKey key = {v1::RECORD_KIND_EXPIRY, UpdateIdOf(name), 0, {}};
    const absl::StatusOr<v1::Record> record = catalog_.Read().GetRecord(key);
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() ? UnpackExpiry(*record)->successor_id() : "";
  };
  offer({{"a", "1.8"}, {"newest", "2.0"}});
  Import();
  offer({{"b", "1.10"}, {"c", "1.9"}});
  Import();
  EXPECT_EQ(successor("a"), UpdateIdOf("b").bytes());
  EXPECT_EQ(successor("newest"), "") << "nothing newer is offered";
}

TEST_F(ImporterTest, DoesNotExpireWhatAnotherSourceOffers) {
  FakeSource other("other");
  SessionLog other_sessions(*catalog_, "other");
  const auto import_other = [&] {
    EXPECT_TRUE(other_sessions.Begin(v1::SYNC_TRIGGER_OPERATOR, clock_.Now(), random_).ok());
    const absl::Status status =
        Importer(*catalog_, clock_).Import(other, other_sessions, stop_.get_token());
    EXPECT_TRUE(other_sessions.End(status, clock_.Now()).ok());
  };
  source_.Offer({{.name = "a"}, {.name = "b"}});
  Import();
  other.Offer({{.name = "a"}});
  import_other();
  source_.Offer({{.name = "b"}});
  EXPECT_EQ(Import().counts().expiries(), 0);
  EXPECT_FALSE(catalog_.Read().GetRecord(kExpiryOfA).ok());
  other.Offer({});
  import_other();
  EXPECT_TRUE(catalog_.Read().GetRecord(kExpiryOfA).ok());
}

// A typing error in one manifest once marked its update as withdrawn at every site.
TEST_F(ImporterTest, ExpiresNothingWhileSomethingCannotBeRead) {
  source_.Offer({{.name = "a"}, {.name = "b"}});
  Import();
  source_.Offer({{.name = "b"}});
  source_.Change([](SourceCatalog& catalog) {
    catalog.problems.push_back({"a.yaml", MakeError(v1::REASON_SOURCE_MALFORMED, "line 3")});
    catalog.incomplete = true;
  });
  EXPECT_EQ(Import().outcome(), v1::SYNC_OUTCOME_PARTIAL);
  EXPECT_FALSE(catalog_.Read().GetRecord(kExpiryOfA).ok());
  source_.Offer({{.name = "b"}});
  EXPECT_EQ(Import().counts().expiries(), 1);
}

TEST_F(ImporterTest, TakesTheOthersWhenOneItemIsBad) {
  source_.Offer({{.name = "a"}, {.name = "b"}});
  source_.Change([](SourceCatalog& catalog) {
    catalog.revisions[0].set_update_id("short");
    catalog.problems.push_back({"c.yaml", MakeError(v1::REASON_SOURCE_MALFORMED, "line 3")});
  });
  const v1::Session session = Import();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_PARTIAL);
  EXPECT_EQ(session.items_failed(), 2);
  EXPECT_EQ(session.items(0).item(), "c.yaml");
  EXPECT_EQ(session.items(0).status().reason(), "SOURCE_MALFORMED");
  EXPECT_TRUE(catalog_.Read().CurrentRevision(UpdateIdOf("b")).ok());
}

TEST_F(ImporterTest, ChangesNothingWhenTheSourceIsRefused) {
  source_.Offer({{.name = "a"}});
  Import();
  const uint64_t head = catalog_->durable_head();
  source_.Offer({});
  source_.Fail(MakeError(v1::REASON_SOURCE_UNAVAILABLE, "no route"));
  const v1::Session session = Import();
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_FAILED);
  ASSERT_THAT(session.errors(), SizeIs(1));
  EXPECT_EQ(session.errors(0).reason(), "SOURCE_UNAVAILABLE");
  EXPECT_THAT(session.errors(0).message(), HasSubstr("no route"));
  EXPECT_EQ(catalog_->durable_head(), head);
}

// The fake hands over one update a part.
TEST_F(ImporterTest, WritesManyPartsInFewCommits) {
  constexpr int kUpdates = 600;
  std::vector<UpdateFacts> updates;
  for (int i = 0; i < kUpdates; ++i) updates.push_back({.name = absl::StrCat("u", i)});
  source_.Offer(updates);
  int commits = 0;
  const int64_t watch = catalog_->Watch(
      [&commits](const CommitOutcome& outcome) { commits += outcome.stored > 0 ? 1 : 0; });
  const v1::Session session = Import();
  catalog_->Unwatch(watch);
  EXPECT_EQ(session.counts().revisions(), kUpdates);
  EXPECT_LT(commits, 10);
}

TEST_F(ImporterTest, GoesOnFromTheStateBeforeAfterACancelledImport) {
  source_.Offer({{.name = "a"}});
  stop_.request_stop();
  EXPECT_EQ(Import().outcome(), v1::SYNC_OUTCOME_CANCELLED);
  EXPECT_FALSE(catalog_.Read().CurrentRevision(UpdateIdOf("a")).ok());
  stop_ = std::stop_source();
  EXPECT_EQ(Import().counts().revisions(), 1);
}

}  // namespace
}  // namespace sluice
