#include "upstream/synthetic_source.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/pack_frame.h"
#include "storage/payload.h"
#include "tests/upstream/source_catalog.h"
#include "upstream/synthetic/categories.h"
#include "upstream/synthetic/documents.h"
#include "upstream/synthetic/packages.h"
#include "upstream/synthetic/texts.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::Gt;
using ::testing::Lt;
using ::testing::SizeIs;

constexpr uint64_t kSeed = 7;

config::v1::SyntheticSource Config(const std::string& shape, int revisions, uint64_t seed = kSeed) {
  config::v1::SyntheticSource config;
  config.set_shape(shape);
  config.set_seed(seed);
  config.set_revisions(revisions);
  return config;
}

SourceCatalog Offered(const config::v1::SyntheticSource& config) {
  SyntheticSource source("made-up", config);
  absl::StatusOr<SourceCatalog> catalog = ReadAll(source);
  EXPECT_TRUE(catalog.ok()) << catalog.status();
  return catalog.ok() ? *std::move(catalog) : SourceCatalog();
}

// By packing, as an import does, so that what a store would refuse fails.
std::vector<std::string> DigestsOf(const SourceCatalog& catalog) {
  std::vector<std::string> digests;
  for (const v1::Revision& revision : catalog.revisions) {
    const absl::StatusOr<CheckedRecord> packed = PackRevision(revision, 1);
    EXPECT_TRUE(packed.ok()) << packed.status();
    if (packed.ok()) digests.push_back(packed->record.digest());
  }
  return digests;
}

TEST(SyntheticSourceTest, MakesTheSameOfOneSeedAndOtherThingsOfAnother) {
  for (const std::string shape : {"packages", "documents"}) {
    const std::vector<std::string> first = DigestsOf(Offered(Config(shape, 300)));
    EXPECT_THAT(first, SizeIs(300));
    EXPECT_EQ(first, DigestsOf(Offered(Config(shape, 300)))) << shape;
    const std::vector<std::string> other = DigestsOf(Offered(Config(shape, 300, kSeed + 1)));
    std::set<std::string> all(first.begin(), first.end());
    all.insert(other.begin(), other.end());
    EXPECT_THAT(all, SizeIs(600)) << shape;
  }
}

// What is made of a seed is part of recorded results: a change of it needs another edition.
TEST(SyntheticSourceTest, MakesTheSameOnEveryMachine) {
  const auto digest_of = [](const SourceCatalog& catalog) {
    Hasher hasher;
    for (const std::string& digest : DigestsOf(catalog)) hasher.Update(digest);
    return hasher.Finish().ToHex().substr(0, 16);
  };
  EXPECT_EQ(digest_of(Offered(Config("packages", 100))), "5c30a21562211228");
  EXPECT_EQ(digest_of(Offered(Config("documents", 100))), "3dd6f13e369b2646");
}

TEST(SyntheticSourceTest, BeginsALargerCatalogWithTheSmallerOne) {
  for (const std::string shape : {"packages", "documents"}) {
    const std::vector<std::string> small = DigestsOf(Offered(Config(shape, 150)));
    std::vector<std::string> large = DigestsOf(Offered(Config(shape, 250)));
    large.resize(small.size());
    EXPECT_EQ(large, small) << shape;
  }
}

TEST(SyntheticSourceTest, SaysUnchangedUntilItIsConfiguredOtherwise) {
  const std::string state = Offered(Config("packages", 10)).state;
  SyntheticSource same("made-up", Config("packages", 10));
  EXPECT_TRUE(ReadAll(same, state)->unchanged);
  SyntheticSource larger("made-up", Config("packages", 11));
  EXPECT_FALSE(ReadAll(larger, state)->unchanged);
}

TEST(SyntheticSourceTest, HandsOverPartsOfLimitedSize) {
  SyntheticSource source("made-up", Config("packages", 2'000));
  size_t parts = 0;
  size_t revisions = 0;
  const auto sink = [&](const SourceFacts& facts) {
    ++parts;
    revisions += facts.revisions.size();
    EXPECT_LE(facts.revisions.size(), kRevisionsPerPart);
    return absl::OkStatus();
  };
  ASSERT_TRUE(source.Read("", sink, {}).ok());
  EXPECT_EQ(parts, 4U);
  EXPECT_EQ(revisions, 2'000U);
}

TEST(SyntheticSourceTest, NamesOnlyCategoriesThatItOffersParentsFirst) {
  std::set<std::string> known = {""};
  size_t classifications = 0;
  for (const v1::Category& category : synthetic::AllCategories()) {
    EXPECT_TRUE(known.contains(category.parent_id())) << category.path();
    known.insert(category.category_id());
    classifications += category.kind() == v1::CATEGORY_KIND_CLASSIFICATION;
    EXPECT_TRUE(PackCategory(category).ok()) << category.path();
  }
  EXPECT_EQ(classifications, 19U);
  for (const std::string shape : {"packages", "documents"}) {
    for (const v1::Revision& revision : Offered(Config(shape, 200)).revisions) {
      EXPECT_TRUE(known.contains(revision.classification_id()));
      for (const std::string& product : revision.product_ids()) {
        EXPECT_TRUE(known.contains(product));
      }
    }
  }
}

// What a catalog adds up to.
struct Census {
  std::set<std::string> updates, classifications, products, languages, file_languages, shards;
  std::vector<int64_t> payload_bytes;   // Sorted.
  std::vector<int64_t> metadata_bytes;  // With what is content for its size. Sorted.
  int64_t packed_bytes = 0;             // Each record by itself.
  PackFramer framer;

  void Add(const v1::Revision& revision) {
    updates.insert(revision.update_id());
    classifications.insert(revision.classification_id());
    products.insert(revision.product_ids().begin(), revision.product_ids().end());
    for (const v1::LocalizedText& text : revision.texts()) languages.insert(text.language());
    const absl::StatusOr<CheckedRecord> packed = PackRevision(revision, 1);
    ASSERT_TRUE(packed.ok()) << packed.status();
    shards.insert(packed->record.shard_id());
    const int64_t bytes = packed->record.payload_bytes();
    packed_bytes += static_cast<int64_t>(framer.Frame(revision.SerializeAsString()).size());
    payload_bytes.push_back(bytes);
    metadata_bytes.push_back(bytes);
    for (const v1::UpdateFile& file : revision.files()) {
      file_languages.insert(file.languages().begin(), file.languages().end());
      if (file.name() == "rules.xml") metadata_bytes.back() += file.size_bytes();
    }
  }
  void Sort() {
    std::sort(payload_bytes.begin(), payload_bytes.end());
    std::sort(metadata_bytes.begin(), metadata_bytes.end());
  }
  int64_t MeanPayload() const {
    return std::accumulate(payload_bytes.begin(), payload_bytes.end(), int64_t{0}) /
           static_cast<int64_t>(payload_bytes.size());
  }
};

// Also of the far end of a million.
TEST(SyntheticPackagesTest, AreAsManyAsLargeAndAsDiverseAsWasMeasured) {
  Census census;
  for (uint64_t i = 0; i < 10'000; ++i) {
    census.Add(synthetic::PackageUpdate(kSeed, i < 5'000 ? i : 990'000 + i));
  }
  EXPECT_THAT(census.updates, SizeIs(10'000));
  EXPECT_THAT(census.classifications, SizeIs(19));
  EXPECT_THAT(census.products, SizeIs(150));
  EXPECT_THAT(census.languages, SizeIs(10));
  EXPECT_THAT(census.file_languages, SizeIs(10));
  EXPECT_THAT(census.MeanPayload(), AllOf(Gt(720), Lt(780)));
  const double ratio =
      static_cast<double>(census.MeanPayload() * 10'000) / static_cast<double>(census.packed_bytes);
  EXPECT_THAT(ratio, AllOf(Gt(1.3), Lt(1.9))) << "real package metadata: 1.6 by itself";
}

// One of each pair of products, classification and language: more there cannot be.
TEST(SyntheticPackagesTest, HaveFewerShardsThanANodeTakes) {
  std::set<std::string> shards;
  for (uint64_t i = 0; i < 1'000'000; i += 21) {
    shards.insert(ShardId::Of(ShardOfRevision(synthetic::PackageUpdate(kSeed, i))).bytes());
  }
  EXPECT_THAT(shards.size(), AllOf(Gt(2'000U), Lt(20'000U)));
  constexpr size_t kProductSets = 2 * synthetic::kProducts;
  EXPECT_LT(kProductSets * (synthetic::kClassifications + synthetic::kLanguages.size()), 20'000U);
}

TEST(SyntheticDocumentsTest, HaveTheSizesThatWereMeasured) {
  const SourceCatalog catalog = Offered(Config("documents", 4'000));
  Census census;
  for (const v1::Revision& revision : catalog.revisions) census.Add(revision);
  census.Sort();
  EXPECT_THAT(census.metadata_bytes[2'000], AllOf(Gt(500), Lt(700)));
  EXPECT_THAT(census.metadata_bytes[3'960], AllOf(Gt(300'000), Lt(600'000)));
  EXPECT_THAT(census.metadata_bytes[3'999], AllOf(Gt(33 << 20), Lt(47 << 20)));
  EXPECT_THAT(census.metadata_bytes[3'997], Lt(7 << 20)) << "two are huge";
  EXPECT_LE(census.payload_bytes.back(), kPayloadBytesMax);
  EXPECT_THAT(census.shards.size(), Lt(20'000U));
  EXPECT_THAT(census.file_languages, SizeIs(10));
}

TEST(SyntheticDocumentsTest, ReferToEarlierUpdatesOnly) {
  constexpr uint64_t kUpdates = 2'000;
  std::set<std::string> earlier;
  int superseding = 0, edges = 0, bundles = 0, nested = 0, requiring = 0;
  std::set<std::string> bundle_ids;
  for (const v1::Revision& revision : Offered(Config("documents", kUpdates)).revisions) {
    for (const std::string& id : revision.supersedes()) EXPECT_TRUE(earlier.contains(id));
    superseding += !revision.supersedes().empty();
    edges += revision.supersedes_size();
    for (const v1::AnyOf& any_of : revision.prerequisites()) {
      EXPECT_FALSE(any_of.update_ids().empty());
      for (const std::string& id : any_of.update_ids()) EXPECT_TRUE(earlier.contains(id));
    }
    requiring += !revision.prerequisites().empty();
    for (const std::string& id : revision.bundled()) {
      EXPECT_TRUE(earlier.contains(id));
      nested += bundle_ids.contains(id);
    }
    bundles += !revision.bundled().empty();
    if (!revision.bundled().empty()) bundle_ids.insert(revision.update_id());
    earlier.insert(revision.update_id());
  }
  EXPECT_EQ(bundles, 20);
  EXPECT_EQ(nested, 14);
  EXPECT_THAT(requiring, Gt(1'800));
  EXPECT_THAT(superseding, AllOf(Gt(200), Lt(260))) << "measured: 12 in a hundred";
  EXPECT_THAT(edges / superseding, AllOf(Gt(20), Lt(35))) << "measured: 26";
}

TEST(SyntheticDocumentsTest, HaveFilesWhoseBytesFitTheirDigests) {
  SyntheticSource source("made-up", Config("documents", 60));
  const absl::StatusOr<SourceCatalog> catalog = ReadAll(source);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(catalog->files, SizeIs(Gt(20U)));
  for (const FileOrigin& file : catalog->files) {
    std::string bytes;
    const auto sink = [&bytes](absl::string_view data) {
      bytes.append(data.data(), data.size());
      return absl::OkStatus();
    };
    ASSERT_TRUE(source.ReadFile(file.origin, 0, sink, {}).ok());
    EXPECT_EQ(Digest::Of(bytes), file.digest);
    EXPECT_EQ(static_cast<int64_t>(bytes.size()), file.origin.size_bytes());
    const std::string whole = std::exchange(bytes, "");
    ASSERT_TRUE(source.ReadFile(file.origin, 13, sink, {}).ok());
    EXPECT_EQ(bytes, whole.substr(13));
  }
}

TEST(SyntheticDocumentsTest, HaveNoFilesBeyondTheirCatalog) {
  SyntheticSource source("made-up", Config("documents", 60));
  const auto sink = [](absl::string_view) { return absl::OkStatus(); };
  for (const std::string path : {"60", "0", "x", "../etc/passwd"}) {
    stored::v1::ContentOrigin origin;
    origin.set_path(path);
    EXPECT_EQ(ReasonOf(source.ReadFile(origin, 0, sink, {})), v1::REASON_CONTENT_SOURCE_GONE)
        << path;
  }
}

}  // namespace
}  // namespace sluice
