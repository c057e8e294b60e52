// The machine's own apt, asked about a configuration that the test made.
#include "upstream/debian/apt_sources.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/temporary_directory.h"

namespace sluice::debian {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class AptSourcesTest : public ::testing::Test {
 protected:
  AptSourcesTest() {
    for (const char* name : {"sources.list.d", "trusted.gpg.d", "apt.conf.d", "preferences.d"}) {
      std::filesystem::create_directories(directory_.path() + "/" + name);
    }
    Write("trusted.gpg.d/trusted.asc", "an armored key");
  }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  absl::StatusOr<AptSources> Read(const std::string& pattern = "") {
    return ReadAptSources(directory_.path(), pattern, {"en", "de"});
  }
  RepositoryConfig ReadOne() {
    const absl::StatusOr<AptSources> sources = Read();
    EXPECT_TRUE(sources.ok()) << sources.status();
    if (!sources.ok()) return {};
    EXPECT_THAT(sources->repositories, SizeIs(1));
    return sources->repositories.empty() ? RepositoryConfig() : sources->repositories[0];
  }

  TemporaryDirectory directory_;
};

TEST_F(AptSourcesTest, ReadsALineWithItsOptions) {
  Write(
      "sources.list",
      "# deb http://archive.test/off stable main\n"
      " deb\t[arch=amd64 signed-by=/keys/a.gpg]\thttp://archive.test/debian/ stable main extra\n");
  const RepositoryConfig config = ReadOne();
  EXPECT_EQ(config.uri, "http://archive.test/debian");
  EXPECT_EQ(config.suite, "stable");
  EXPECT_THAT(config.components, ElementsAre("main", "extra"));
  EXPECT_THAT(config.architectures, ElementsAre("amd64", "all"));
  EXPECT_EQ(config.keyring, "/keys/a.gpg");
  EXPECT_THAT(config.languages, ElementsAre("en", "de"));
}

TEST_F(AptSourcesTest, ReadsADeb822FileAndNotWhatIsDisabled) {
  Write("sources.list.d/a.sources",
        "Types: deb\nURIs: http://archive.test/debian\nSuites: stable stable-updates\n"
        "Components: main\nArchitectures: amd64\nSigned-By: /keys/a.gpg\n\n"
        "Types: deb\nEnabled: no\nURIs: http://archive.test/off\nSuites: stable\n"
        "Components: main\n\n"
        "Types: deb\nEnabled: no\nURIs: http://archive.test/debian\nSuites: stable-updates\n"
        "Components: main\nSigned-By: /keys/old.gpg\n");
  Write("sources.list", "deb-src http://archive.test/debian stable main\n");
  const absl::StatusOr<AptSources> sources = Read();
  ASSERT_TRUE(sources.ok()) << sources.status();
  ASSERT_THAT(sources->repositories, SizeIs(2));
  EXPECT_EQ(sources->repositories[0].suite, "stable");
  EXPECT_EQ(sources->repositories[1].suite, "stable-updates");
  EXPECT_EQ(sources->repositories[1].keyring, "/keys/a.gpg");
}

TEST_F(AptSourcesTest, ReadsAKeyThatStandsInTheEntry) {
  Write("sources.list.d/a.sources",
        "Types: deb\nURIs: http://archive.test/debian\nSuites: stable\nComponents: main\n"
        "Architectures: amd64\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n"
        " bWFkZSB1cA==\n -----END PGP PUBLIC KEY BLOCK-----\n");
  EXPECT_THAT(ReadOne().keyring, HasSubstr("BEGIN PGP PUBLIC KEY BLOCK"));
}

TEST_F(AptSourcesTest, TakesAptsOwnKeysWhereNoneIsNamed) {
  Write("sources.list", "deb [arch=amd64] http://archive.test/debian stable main\n");
  EXPECT_THAT(ReadOne().keyring, HasSubstr("an armored key"));
}

TEST_F(AptSourcesTest, TakesTheFirstOfAListOfPlaces) {
  const std::string list =
      Write("places", "# nearest first\nhttp://near.test/debian/\tpriority:1\nhttp://far.test/\n");
  Write("sources.list", absl::StrCat("deb [arch=amd64] mirror+file:", list, " stable main\n"));
  EXPECT_EQ(ReadOne().uri, "http://near.test/debian");
}

TEST_F(AptSourcesTest, TakesTheSuitesThatMatchAndNamesWhatItCannotRead) {
  Write("sources.list",
        "deb [arch=amd64] http://archive.test/debian stable main\n"
        "deb [arch=amd64] http://archive.test/security stable-security main\n"
        "deb [arch=amd64] cdrom:[Disc]/ stable-security main\n"
        "deb [arch=amd64] ftp://ann:secret@archive.test/debian stable-security main\n");
  const absl::StatusOr<AptSources> sources = Read("*-security");
  ASSERT_TRUE(sources.ok()) << sources.status();
  ASSERT_THAT(sources->repositories, SizeIs(1));
  EXPECT_EQ(sources->repositories[0].uri, "http://archive.test/security");
  EXPECT_THAT(sources->skipped,
              UnorderedElementsAre(HasSubstr("cdrom:"), "ftp://archive.test/debian"));

  const absl::Status none = Read("nothing-*").status();
  EXPECT_EQ(ReasonOf(none), v1::REASON_SOURCE_UNAVAILABLE);
  EXPECT_THAT(none.message(), HasSubstr("no suite that matches \"nothing-*\""));
}

}  // namespace
}  // namespace sluice::debian
