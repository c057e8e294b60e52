#include "upstream/debian/repository.h"

#include "absl/strings/str_replace.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/upstream/debian/signed_repository.h"
#include "tests/upstream/source_catalog.h"
#include "upstream/debian_source.h"

namespace sluice::debian {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class RepositoryTest : public ::testing::Test {
 protected:
  RepositoryTest() {
    source_.AddPackage("libthing", "1.2-3", "Source: thing (1:1.2-3)\n");
    source_.AddPackage("thing-tools", "1.2-3", "Source: thing (1:1.2-3)\n");
    source_.Publish();
  }

  absl::StatusOr<Snapshot> Read(const std::string& state = "") {
    return Repository(source_.Config(), source_.fetcher, clock_,
                      source_.directory.path() + "/cache")
        .Read(state, {});
  }
  v1::Reason ReasonOfRead() { return ReasonOf(Read().status()); }

  SignedRepository source_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
};

TEST_F(RepositoryTest, ReadsWhatIsSigned) {
  const absl::StatusOr<Snapshot> snapshot = Read();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  ASSERT_THAT(snapshot->indexes, SizeIs(1));
  ASSERT_THAT(snapshot->indexes[0].packages, SizeIs(2));
  EXPECT_EQ(snapshot->indexes[0].packages[0].source, "thing");
  EXPECT_EQ(snapshot->indexes[0].packages[0].source_version, "1:1.2-3");
}

TEST_F(RepositoryTest, ReadsNothingAgainWhileTheReleaseIsTheSame) {
  const std::string state = Read()->state;
  source_.fetcher.fetches = 0;
  EXPECT_TRUE(Read(state)->unchanged);
  EXPECT_EQ(source_.fetcher.fetches, 1);
}

TEST_F(RepositoryTest, FetchesOnlyIndexesThatChanged) {
  ASSERT_TRUE(Read().ok());
  source_.Publish("Label: another\n");
  source_.fetcher.fetches = 0;
  EXPECT_FALSE(Read()->unchanged);
  EXPECT_EQ(source_.fetcher.fetches, 1);
}

TEST_F(RepositoryTest, RefusesWhatNobodySigned) {
  source_.InRelease() = "Origin: Test\n";
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_SIGNATURE);
}

TEST_F(RepositoryTest, RefusesASignatureByAnotherKey) {
  SignedRepository other;
  source_.InRelease() = other.Sign("Origin: Test\n");
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_SIGNATURE);
}

TEST_F(RepositoryTest, RefusesAnAlteredSignedText) {
  source_.InRelease() = absl::StrReplaceAll(source_.InRelease(), {{"12.1", "12.2"}});
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_SIGNATURE);
}

TEST_F(RepositoryTest, RefusesTextAroundTheSignedPart) {
  const std::string sound = source_.InRelease();
  for (const std::string& text :
       {"Origin: Evil\n\n" + sound, sound + "\nOrigin: Evil\n", sound + sound}) {
    source_.InRelease() = text;
    const absl::Status status = Read().status();
    EXPECT_EQ(ReasonOf(status), v1::REASON_SOURCE_SIGNATURE) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("around"));
  }
}

TEST_F(RepositoryTest, RefusesAnExpiredRelease) {
  source_.Publish("Valid-Until: Mon, 13 Nov 2023 00:00:00 UTC\n");
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_EXPIRED);
  source_.Publish("Valid-Until: Wed, 15 Nov 2023 00:00:00 UTC\n");
  EXPECT_TRUE(Read().ok());
}

TEST_F(RepositoryTest, RefusesAnotherSuiteThanWasAskedFor) {
  source_.InRelease() = source_.Sign("Origin: Test\nSuite: oldstable\nCodename: old\nSHA256:\n " +
                                     Digest().ToHex() + " 0 x\n");
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_MISMATCH);
}

TEST_F(RepositoryTest, RefusesAnIndexThatIsNotTheSignedOne) {
  const std::string sound = source_.Packages();
  source_.Packages()[0] = 'X';
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_MISMATCH);
  source_.Packages() = sound.substr(0, sound.size() / 2);
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_MISMATCH);
  source_.Packages() = sound + "endless";
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_MISMATCH);
}

TEST_F(RepositoryTest, SaysThatAnIndexIsGone) {
  source_.fetcher.files.erase(
      "http://repo.test/debian/dists/stable-security/main/binary-amd64/Packages");
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_UNAVAILABLE);
}

TEST_F(RepositoryTest, RefusesAPathThatLeadsOutOfTheRepository) {
  source_.AddPackage("../../etc/passwd", "1");
  source_.Publish();
  EXPECT_EQ(ReasonOfRead(), v1::REASON_SOURCE_MALFORMED);
}

TEST_F(RepositoryTest, MapsOneUpdateToASourceVersion) {
  DebianMapper mapper("test");
  mapper.Add(source_.Config(), *Read());
  SourceFacts catalog;
  ASSERT_TRUE(mapper.Finish(IntoCatalog(catalog)).ok());
  ASSERT_THAT(catalog.revisions, SizeIs(1));
  const v1::Revision& revision = catalog.revisions[0];
  EXPECT_EQ(revision.texts(0).title(), "thing 1:1.2-3");
  EXPECT_EQ(revision.texts(0).description(),
            "libthing: synopsis of libthing\nthing-tools: synopsis of thing-tools");
  EXPECT_THAT(revision.files(), SizeIs(2));
  std::vector<std::string> paths;
  for (const v1::Category& category : catalog.categories) paths.push_back(category.path());
  EXPECT_THAT(paths, ::testing::Contains("Test/12/stable-security/main/amd64"));
  EXPECT_THAT(paths, ::testing::Contains("Security Updates"));
}

}  // namespace
}  // namespace sluice::debian
