// Which way mends which finding, and what this node then asks of the one above.
#include "downstream/petition_maker.h"

#include "downstream/fix_ways.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/petition_rows.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

v1::Finding FindingOf(v1::FindingClass finding_class, absl::string_view update = "a",
                      v1::RecordKind kind = v1::RECORD_KIND_REVISION) {
  v1::Finding finding;
  finding.set_finding_class(finding_class);
  finding.set_kind(kind);
  finding.set_id(UpdateIdOf(update).ToString());
  finding.set_title(std::string(update));
  finding.set_revision_here(kind == v1::RECORD_KIND_REVISION ? 1 : 0);
  return finding;
}

TEST(FixWaysTest, TakesTheFirstWayThatMends) {
  const std::vector<v1::FixKind> all = {v1::FIX_KIND_FETCH, v1::FIX_KIND_WIDEN, v1::FIX_KIND_PIN,
                                        v1::FIX_KIND_RETURN, v1::FIX_KIND_DECLINE};
  const auto way = [&](v1::FindingClass finding_class, bool kept) {
    return WayFor(FindingOf(finding_class), kept, all);
  };
  EXPECT_EQ(way(v1::FINDING_CLASS_MISSING_DOWNSTREAM, false), v1::FIX_KIND_FETCH);
  EXPECT_EQ(way(v1::FINDING_CLASS_CONTENT_CORRUPT, false), v1::FIX_KIND_FETCH);
  EXPECT_EQ(way(v1::FINDING_CLASS_DECLINE_MISMATCH, false), v1::FIX_KIND_FETCH);
  EXPECT_EQ(way(v1::FINDING_CLASS_MISSING_UPSTREAM_PURGED, false), v1::FIX_KIND_FETCH);
  EXPECT_EQ(way(v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED, true), v1::FIX_KIND_WIDEN);
  EXPECT_EQ(way(v1::FINDING_CLASS_DANGLING, false), v1::FIX_KIND_PIN);
  EXPECT_EQ(way(v1::FINDING_CLASS_MISSING_UPSTREAM, true), v1::FIX_KIND_RETURN);
  EXPECT_EQ(way(v1::FINDING_CLASS_VERSION_HIDDEN, false), v1::FIX_KIND_UNSPECIFIED);
  EXPECT_EQ(way(v1::FINDING_CLASS_APPROVAL_INACTIVE, false), v1::FIX_KIND_UNSPECIFIED);
  EXPECT_EQ(WayFor(FindingOf(v1::FINDING_CLASS_MISSING_UPSTREAM), true, {v1::FIX_KIND_FETCH}),
            v1::FIX_KIND_UNSPECIFIED)
      << "nothing is declined that nobody asked to decline";
}

class PetitionMakerTest : public ::testing::Test {
 protected:
  // This node keeps all that it has of an update.
  void Keep(absl::string_view update) {
    const auto revisions = catalog_.Read().Revisions(UpdateIdOf(update));
    ASSERT_TRUE(revisions.ok()) << revisions.status();
    CatalogChange change;
    for (const RecordColumns& revision : *revisions) change.Keep(revision.key);
    change.Keep({v1::RECORD_KIND_POLICY, UpdateIdOf(update), 0, {}});
    catalog_.Commit(change);
  }

  TestCatalog catalog_;
};

TEST_F(PetitionMakerTest, AsksForTheNamesThatTheUpstreamDoesNotTake) {
  catalog_.AddProduct("Fabrikam/Tool");
  catalog_.AddUpdate({.name = "a", .product = "Fabrikam/Tool", .contents = {"x"}});
  v1::Subscription upstream;
  upstream.add_products("Contoso");
  const std::vector<v1::Finding> findings = {
      FindingOf(v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED)};
  const auto petitions = MakeWiden(catalog_.Read(), upstream, findings);
  ASSERT_TRUE(petitions.ok()) << petitions.status();
  ASSERT_THAT(*petitions, SizeIs(1));
  EXPECT_THAT(petitions->front().subscription().products(), ElementsAre("Fabrikam/Tool"));
  EXPECT_THAT(petitions->front().subscription().classifications(), IsEmpty());
  EXPECT_THAT(petitions->front().summary(), HasSubstr("take \"Fabrikam/Tool\" too, for \"a\""));
  upstream.add_products("Fabrikam/Tool");
  EXPECT_THAT(*MakeWiden(catalog_.Read(), upstream, findings), IsEmpty());
}

TEST_F(PetitionMakerTest, AsksForWhatADanglingUpdateLacks) {
  catalog_.AddUpdate({.name = "a", .prerequisites = {"base"}});
  const auto petitions = MakePins(catalog_.Read(), {FindingOf(v1::FINDING_CLASS_DANGLING)});
  ASSERT_TRUE(petitions.ok()) << petitions.status();
  ASSERT_THAT(*petitions, SizeIs(1));
  EXPECT_THAT(petitions->front().update_ids(), ElementsAre(UpdateIdOf("base").bytes()));
}

TEST_F(PetitionMakerTest, OffersWhatIsKeptAsItWasBefore) {
  const RecordKey key = catalog_.AddUpdate({.name = "a"});
  catalog_.Approve("a");
  const v1::Record before = catalog_.Read().GetRecord(key).value();
  Keep("a");
  const auto petitions =
      MakeReturns(catalog_.Read(),
                  {FindingOf(v1::FINDING_CLASS_MISSING_UPSTREAM),
                   FindingOf(v1::FINDING_CLASS_MISSING_UPSTREAM, "a", v1::RECORD_KIND_POLICY)});
  ASSERT_TRUE(petitions.ok()) << petitions.status();
  ASSERT_THAT(*petitions, SizeIs(1));
  v1::Petition petition = petitions->front();
  ASSERT_EQ(petition.records_size(), 2);
  EXPECT_EQ(petition.records(0).SerializeAsString(), before.SerializeAsString());
  petition.set_petition_id(Uuid::Random().ToString());
  petition.set_node_id(catalog_->node_id().bytes());
  EXPECT_TRUE(CheckPetition(petition).ok()) << CheckPetition(petition);
}

TEST_F(PetitionMakerTest, SpreadsManyRecordsOverSeveralPetitions) {
  std::vector<v1::Finding> findings;
  for (int i = 0; i < kReturnRecordsMax + 1; ++i) {
    const std::string name = "u" + std::to_string(i);
    catalog_.AddUpdate({.name = name});
    Keep(name);
    findings.push_back(FindingOf(v1::FINDING_CLASS_MISSING_UPSTREAM, name));
  }
  const auto petitions = MakeReturns(catalog_.Read(), findings);
  ASSERT_TRUE(petitions.ok()) << petitions.status();
  ASSERT_THAT(*petitions, SizeIs(2));
  EXPECT_EQ(petitions->at(0).records_size(), kReturnRecordsMax);
  EXPECT_EQ(petitions->at(1).records_size(), 1);
}

}  // namespace
}  // namespace sluice
