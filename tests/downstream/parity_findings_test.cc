// Every class of difference, planted between a node that follows and its upstream; and what is
// remembered of it from check to check.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "downstream/parity_check.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/memory_content_store.h"
#include "storage/parity_rows.h"
#include "tests/downstream/engine_bench.h"
#include "tests/downstream/exchange_peer.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ParityFindingsTest : public ::testing::Test {
 protected:
  ParityFindingsTest() {
    bench_.upstream().AddUpdate({.name = "a"});
    bench_.Start();
  }

  std::vector<v1::Finding> Check(bool thorough = false) {
    ManualClock clock(bench_.now());
    ExchangePeer peer(*bench_.upstream(), bench_.catalog().node_id());
    peer.hello.MergeFrom(hello_);
    peer.lacks_files = upstream_lacks_files_;
    ParityCheck::Options options;
    options.thorough = thorough;
    std::vector<v1::Finding> findings;
    const auto summary =
        ParityCheck(bench_.catalog(), content_, clock)
            .Run(peer, options, [&](const v1::Finding& finding) { findings.push_back(finding); });
    EXPECT_TRUE(summary.ok()) << summary.status();
    for (const v1::Finding& finding : findings) {
      EXPECT_NE(finding.cause(), "") << finding.ShortDebugString();
      EXPECT_NE(finding.remedy(), "") << finding.ShortDebugString();
      EXPECT_NE(ReasonFromName(finding.reason()), v1::REASON_UNSPECIFIED)
          << finding.ShortDebugString();
    }
    if (summary.ok()) summary_ = *summary;
    return findings;
  }

  std::vector<v1::FindingClass> Classes(bool thorough = false) {
    std::vector<v1::FindingClass> classes;
    for (const v1::Finding& finding : Check(thorough)) classes.push_back(finding.finding_class());
    return classes;
  }

  // A fact that only this node has.
  void AddHere(const UpdateFacts& facts) {
    CatalogChange change;
    change.Originate(PackRevision(MakeRevision(facts), 0).value());
    ASSERT_TRUE(bench_.catalog().Commit(change).ok());
  }

  void Sync() {
    bench_.Advance(absl::Minutes(1));
    bench_.Tell(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
    bench_.Advance(absl::Minutes(1));
  }

  void Store(const std::string& bytes) {
    auto writer = content_.Write(Digest::Of(bytes), static_cast<int64_t>(bytes.size()));
    ASSERT_TRUE((*writer)->Append(bytes).ok());
    ASSERT_TRUE((*writer)->Commit().ok());
  }

  static Uuid Everybody() { return GroupIdOfName(kAllComputersGroup); }

  EngineBench bench_;
  MemoryContentStore content_;
  v1::HelloResponse hello_;
  bool upstream_lacks_files_ = false;
  v1::CheckSummary summary_;
};

TEST_F(ParityFindingsTest, NothingDiffersAfterASynchronisation) {
  EXPECT_THAT(Classes(), IsEmpty());
  EXPECT_TRUE(summary_.in_parity());
}

TEST_F(ParityFindingsTest, MissingDownstream) {
  bench_.upstream().AddUpdate({.name = "b", .title = "new"});
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_MISSING_DOWNSTREAM));
}

TEST_F(ParityFindingsTest, MissingUpstreamThatNeverHadIt) {
  AddHere({.name = "own"});
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_MISSING_UPSTREAM));
  EXPECT_EQ(summary_.findings_standing(), 1);
}

TEST_F(ParityFindingsTest, MissingUpstreamThatDoesNotSelectIt) {
  AddHere({.name = "own", .product = "Fabrikam/Tool"});
  hello_.mutable_subscription()->add_products("Contoso");
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED));
}

TEST_F(ParityFindingsTest, MissingUpstreamThatDeletedIt) {
  CatalogChange change;
  change.Delete(bench_.upstream().Read().CurrentRevision(UpdateIdOf("a"))->key);
  bench_.upstream().Commit(change);
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_MISSING_UPSTREAM_PURGED));
  EXPECT_EQ(summary_.findings_standing(), 0) << "the next synchronisation takes it away here";
}

TEST_F(ParityFindingsTest, TransientMetadataWhileTheUpstreamCatchesUp) {
  AddHere({.name = "early"});
  v1::HelloResponse above;
  above.set_node_id(Uuid::Random().bytes());
  CatalogChange change;
  change.PutRow(Family::kSettings, kUpstreamHelloSetting, above);
  bench_.upstream().Commit(change);
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_TRANSIENT_METADATA));
}

TEST_F(ParityFindingsTest, RevisionDiffersAndHeaderMismatch) {
  bench_.upstream().AddUpdate({.name = "a", .title = "two"});
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_REVISION_DIFFERS));
  AddHere({.name = "a", .title = "another two"});
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_HEADER_MISMATCH));
  EXPECT_EQ(summary_.findings_standing(), 1);
}

TEST_F(ParityFindingsTest, VersionHidden) {
  const RecordKey key = bench_.upstream().AddUpdate({.name = "b"});
  stored::v1::MissingRow row;
  row.mutable_status()->set_reason("ITEM_TOO_NEW");
  CatalogChange change;
  change.PutRow(Family::kMissing, key.ToString(), row);
  ASSERT_TRUE(bench_.catalog().Commit(change).ok());
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_VERSION_HIDDEN));
}

TEST_F(ParityFindingsTest, ApprovalMissingAndExtra) {
  bench_.upstream().Approve("a");
  const std::vector<v1::Finding> missing = Check();
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].finding_class(), v1::FINDING_CLASS_APPROVAL_MISSING);
  EXPECT_THAT(missing[0].cause(), HasSubstr(Everybody().ToString()));
  Sync();
  EXPECT_THAT(Classes(), IsEmpty());
  v1::Decision cleared = MakeApproval("a", Everybody());
  cleared.set_cleared(true);
  bench_.upstream().Decide(cleared);
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_APPROVAL_EXTRA));
}

TEST_F(ParityFindingsTest, ApprovalOfAnotherRevisionAndWithAnotherDeadline) {
  bench_.upstream().Approve("a");
  Sync();
  v1::Decision pinned = MakeApproval("a", Everybody());
  pinned.set_revision_digest(Digest::Of("another").bytes());
  bench_.upstream().Decide(pinned);
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_APPROVAL_STALE_REVISION));
  v1::Decision urgent = MakeApproval("a", Everybody());
  urgent.mutable_deadline()->set_seconds(1'800'000'000);
  bench_.upstream().Decide(urgent);
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_DECISION_DIFFERS));
}

TEST_F(ParityFindingsTest, DeclineLicenceAndGroup) {
  bench_.upstream().Decline("a");
  v1::Decision licence = MakeDecline("a");
  licence.set_key("licence");
  bench_.upstream().Decide(licence);
  v1::TargetGroup group;
  group.set_group_id(Uuid::Random().bytes());
  group.set_name("Pilot");
  CatalogChange change;
  change.Originate(PackTargetGroup(group).value());
  bench_.upstream().Commit(change);
  EXPECT_THAT(Classes(), ::testing::UnorderedElementsAre(v1::FINDING_CLASS_DECLINE_MISMATCH,
                                                         v1::FINDING_CLASS_LICENCE_MISMATCH,
                                                         v1::FINDING_CLASS_GROUP_MISMATCH));
}

TEST_F(ParityFindingsTest, ApprovalOfWhatIsOutsideOfTheSelection) {
  bench_.upstream().Approve("a");
  Sync();
  // Both let go of the update, and the decision stays.
  for (Catalog* const catalog : {&bench_.catalog(), &*bench_.upstream()}) {
    const RecordColumns update = *catalog->Read().CurrentRevision(UpdateIdOf("a"));
    CatalogChange change;
    change.Leave(update.key, *ShardId::FromBytes(update.header.shard_id()));
    ASSERT_TRUE(catalog->Commit(change).ok());
  }
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_APPROVAL_INACTIVE));
}

TEST_F(ParityFindingsTest, DanglingIsFoundByAThoroughCheckAndNotForgotten) {
  bench_.upstream().AddUpdate({.name = "b", .prerequisites = {"base"}});
  Sync();
  EXPECT_THAT(Classes(), IsEmpty());
  const std::vector<v1::Finding> found = Check(/*thorough=*/true);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].finding_class(), v1::FINDING_CLASS_DANGLING);
  EXPECT_THAT(found[0].cause(), HasSubstr(UpdateIdOf("base").ToString()));
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_DANGLING));
  bench_.upstream().AddUpdate({.name = "base"});
  Sync();
  EXPECT_THAT(Classes(), IsEmpty());
}

TEST_F(ParityFindingsTest, DanglingOfApprovedUpdatesIsFoundByEveryCheck) {
  bench_.upstream().AddUpdate({.name = "b", .prerequisites = {"base"}});
  bench_.upstream().Approve("b");
  Sync();
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_DANGLING));
}

TEST_F(ParityFindingsTest, ContentMissingTransientAndCorrupt) {
  bench_.upstream().AddUpdate({.name = "b", .contents = {"bytes"}});
  bench_.upstream().Approve("b");
  Sync();
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_CONTENT_MISSING));
  upstream_lacks_files_ = true;
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_TRANSIENT_CONTENT));
  Store("bytes");
  EXPECT_THAT(Classes(), IsEmpty());
  content_.Damage(Digest::Of("bytes"), "bytez");
  EXPECT_THAT(Classes(), IsEmpty()) << "only a thorough check reads";
  EXPECT_THAT(Classes(/*thorough=*/true), ElementsAre(v1::FINDING_CLASS_CONTENT_CORRUPT));
  EXPECT_THAT(Classes(), ElementsAre(v1::FINDING_CLASS_CONTENT_CORRUPT)) << "not forgotten";
}

// What kept records come to after the upstream lost its history.
TEST_F(ParityFindingsTest, WhatIsKeptIsStandingWhateverItsClass) {
  bench_.upstream().AddUpdate({.name = "tool", .product = "Fabrikam/Tool"});
  Sync();
  TestCatalog rebuilt(absl::FromUnixSeconds(1'700'000'500), bench_.upstream()->node_id());
  bench_.MoveTo(rebuilt);
  Sync();
  hello_.mutable_subscription()->add_products("Contoso/Agent");
  std::map<std::string, v1::FindingClass> classes;
  for (const v1::Finding& finding : Check()) {
    EXPECT_TRUE(finding.standing()) << finding.ShortDebugString();
    if (finding.kind() == v1::RECORD_KIND_REVISION) classes[finding.id()] = finding.finding_class();
  }
  EXPECT_EQ(classes[UpdateIdOf("a").ToString()], v1::FINDING_CLASS_MISSING_UPSTREAM);
  EXPECT_EQ(classes[UpdateIdOf("tool").ToString()], v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED);
}

TEST_F(ParityFindingsTest, StandsOnceASynchronisationDidNotMendIt) {
  bench_.upstream().AddUpdate({.name = "b", .contents = {"bytes"}});
  bench_.upstream().Approve("b");
  Sync();
  const std::vector<v1::Finding> first = Check();
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_FALSE(first[0].standing());
  EXPECT_EQ(first[0].times_seen(), 1);
  bench_.Advance(absl::Minutes(1));
  const std::vector<v1::Finding> again = Check();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_FALSE(again[0].standing()) << "nothing was tried in between";
  EXPECT_EQ(again[0].times_seen(), 2);
  EXPECT_THAT(ParityConditions(bench_.catalog().Read()), IsEmpty());

  Sync();
  const std::vector<v1::Finding> standing = Check();
  ASSERT_THAT(standing, SizeIs(1));
  EXPECT_TRUE(standing[0].standing());
  EXPECT_EQ(standing[0].times_seen(), 3);
  EXPECT_EQ(standing[0].first_seen().seconds(), first[0].first_seen().seconds());
  EXPECT_GT(standing[0].last_seen().seconds(), first[0].last_seen().seconds());
  const auto conditions = ParityConditions(bench_.catalog().Read());
  ASSERT_THAT(conditions, SizeIs(1));
  EXPECT_EQ(conditions[0].reason(), "PARITY_DIFFERS");
  EXPECT_EQ(conditions[0].since().seconds(), first[0].first_seen().seconds());
  const auto kept = ReadFindings(bench_.catalog().Read());
  ASSERT_TRUE(kept.ok());
  ASSERT_THAT(*kept, SizeIs(1));
  EXPECT_EQ(kept->front().SerializeAsString(), standing[0].SerializeAsString());

  Store("bytes");
  EXPECT_THAT(Check(), IsEmpty());
  EXPECT_THAT(*ReadFindings(bench_.catalog().Read()), IsEmpty());
  EXPECT_THAT(ParityConditions(bench_.catalog().Read()), IsEmpty());
}

TEST_F(ParityFindingsTest, KeepsTheLastHundredSummaries) {
  for (int i = 0; i < kParitySummariesMax + 5; ++i) {
    bench_.Advance(absl::Seconds(1));
    EXPECT_THAT(Check(), IsEmpty());
  }
  const auto summaries = ReadSummaryRows(bench_.catalog().Read());
  ASSERT_TRUE(summaries.ok());
  EXPECT_THAT(*summaries, SizeIs(kParitySummariesMax));
  EXPECT_EQ(summaries->back().second.checked_at().seconds(), absl::ToUnixSeconds(bench_.now()));
}

TEST_F(ParityFindingsTest, AsksNothingWhenNothingDiffers) {
  ExchangePeer peer(*bench_.upstream(), bench_.catalog().node_id());
  ManualClock clock(bench_.now());
  const auto summary =
      ParityCheck(bench_.catalog(), content_, clock).Run(peer, {}, [](const v1::Finding&) {});
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(peer.asked_records, 0);
  EXPECT_EQ(peer.asked_keys, 0);
}

}  // namespace
}  // namespace sluice
