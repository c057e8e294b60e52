#include "upstream/manifest.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/category_ids.h"
#include "storage/payload.h"
#include "tests/upstream/manifest_of_agent.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::vector<std::string> WrongFields(const v1::UpdateManifest& manifest) {
  const absl::Status status = CheckManifest(manifest);
  EXPECT_EQ(ReasonOf(status), v1::REASON_INVALID_REQUEST);
  std::vector<std::string> fields;
  for (const FieldViolation& violation : FieldViolationsOf(status)) {
    fields.push_back(violation.field);
  }
  return fields;
}

TEST(ManifestTest, AcceptsWhatIsComplete) {
  EXPECT_TRUE(CheckManifest(ManifestOfAgent()).ok()) << CheckManifest(ManifestOfAgent());
}

TEST(ManifestTest, NamesAllMissingFieldsAtOnce) {
  EXPECT_THAT(WrongFields(v1::UpdateManifest()),
              UnorderedElementsAre("name", "texts", "products", "classification"));
}

TEST(ManifestTest, RefusesPathsThatLeadOut) {
  for (const char* path : {"../secret", "/etc/passwd", "a/../../b", "", ".", "a//b"}) {
    v1::UpdateManifest manifest = ManifestOfAgent();
    manifest.mutable_files(0)->set_path(path);
    EXPECT_THAT(WrongFields(manifest), ElementsAre("files[0].path")) << path;
  }
}

TEST(ManifestTest, RefusesWhatIsMalformedOrNamedTwice) {
  v1::UpdateManifest manifest = ManifestOfAgent();
  manifest.set_update_id("17");
  manifest.mutable_files(0)->set_sha256("abc");
  *manifest.add_files() = manifest.files(0);
  manifest.mutable_files(1)->clear_sha256();
  *manifest.add_texts() = manifest.texts(0);
  manifest.set_products(0, "Contoso//Agent");
  EXPECT_THAT(WrongFields(manifest),
              UnorderedElementsAre("update_id", "files[0].sha256", "files[1].path",
                                   "texts[1].language", "products[0]"));
}

TEST(ManifestTest, DerivesTheIdFromTheNameUnlessItIsGiven) {
  v1::UpdateManifest manifest = ManifestOfAgent();
  const Uuid derived = *UpdateIdOf(manifest);
  EXPECT_EQ(derived, *UpdateIdOf(manifest));
  manifest.set_name("another");
  EXPECT_NE(derived, *UpdateIdOf(manifest));
  manifest.set_update_id("5f0f2c6e-60a9-4d0a-8d6b-0123456789ab");
  EXPECT_EQ(UpdateIdOf(manifest)->ToString(), manifest.update_id());
}

TEST(ManifestTest, GivesTheSameDigestWhateverTheOrderOfItsSets) {
  v1::UpdateManifest one = ManifestOfAgent();
  one.add_cves("CVE-2026-2");
  one.add_cves("CVE-2026-1");
  one.add_products("Contoso/Server");
  v1::UpdateManifest other = one;
  other.mutable_cves()->SwapElements(0, 1);
  other.mutable_products()->SwapElements(0, 1);
  const std::vector<MeasuredFile> files = {{Digest::Of("x"), 1}};
  EXPECT_EQ(PackRevision(*RevisionOf(one, files), 0)->record.digest(),
            PackRevision(*RevisionOf(other, files), 0)->record.digest());
}

TEST(ManifestTest, RefersToOtherUpdatesByNameOrId) {
  v1::UpdateManifest before = ManifestOfAgent();
  before.set_name("contoso-agent-4.1");
  v1::UpdateManifest manifest = ManifestOfAgent();
  manifest.add_supersedes("contoso-agent-4.1");
  manifest.add_prerequisites()->add_any_of(UpdateIdOf(before)->ToString());
  const v1::Revision revision = *RevisionOf(manifest, {{Digest::Of("x"), 1}});
  EXPECT_THAT(revision.supersedes(), ElementsAre(UpdateIdOf(before)->bytes()));
  EXPECT_THAT(revision.prerequisites(0).update_ids(), ElementsAre(UpdateIdOf(before)->bytes()));
}

TEST(ManifestTest, NamesCategoriesParentsFirst) {
  const std::vector<v1::Category> categories = CategoriesOf(ManifestOfAgent());
  ASSERT_THAT(categories, SizeIs(3));
  EXPECT_EQ(categories[0].path(), "Contoso");
  EXPECT_EQ(categories[0].kind(), v1::CATEGORY_KIND_VENDOR);
  EXPECT_EQ(categories[1].path(), "Contoso/Agent");
  EXPECT_EQ(categories[1].parent_id(), ProductIdOfPath("Contoso").bytes());
  EXPECT_EQ(categories[2].kind(), v1::CATEGORY_KIND_CLASSIFICATION);
}

}  // namespace
}  // namespace sluice
