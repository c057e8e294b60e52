// Imports over real HTTP from repositories that Debian's own tools made, sound and broken in every
// way. What is broken is refused with its reason and changes nothing; mended, it is imported.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/payload.h"
#include "tests/storage/temporary_directory.h"
#include "tests/storage/test_catalog.h"
#include "tests/upstream/debian/http_origin.h"
#include "upstream/debian/repository.h"
#include "upstream/debian_source.h"
#include "upstream/importer.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class HttpImportTest : public ::testing::Test {
 protected:
  HttpImportTest() {
    Make("make");
    origin_ = std::make_unique<HttpOrigin>(folder() + "/www");
    config_.set_uri(origin_->url());
    config_.set_suite("stable-security");
    config_.add_components("main");
    config_.add_architectures(architecture_);
    config_.add_languages("en");
    config_.set_signed_by(folder() + "/key.asc");
  }

  std::string folder() const { return directory_.path() + "/repository"; }
  static std::string MachineArchitecture() {
    return std::system("test \"$(dpkg --print-architecture)\" = arm64") == 0 ? "arm64" : "amd64";
  }
  std::string dists() const { return folder() + "/www/dists/stable-security"; }
  std::string index() const {
    return absl::StrCat(dists(), "/main/binary-", architecture_, "/Packages");
  }
  static std::string IndexPath(const std::string& architecture, const std::string& packing) {
    return absl::StrCat("/dists/stable-security/main/binary-", architecture, "/Packages", packing);
  }
  std::string IndexPath() const { return IndexPath(architecture_, ".xz"); }

  // make, index or sign, by make_repository.
  void Make(const std::string& what) const {
    const std::string command = absl::StrCat(
        SLUICE_SOURCE_DIR, "/tests/upstream/debian/make_repository ", what, " ", folder(), " 2>&1");
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static std::string ReadFile(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  static void WriteFile(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  v1::Session Import() {
    DebianSource source("security", config_, clock_, directory_.path() + "/cache");
    SessionLog sessions(*catalog_, "security");
    EXPECT_TRUE(sessions.Begin(v1::SYNC_TRIGGER_OPERATOR, clock_.Now(), random_).ok());
    const absl::Status status = Importer(*catalog_, clock_).Import(source, sessions, {});
    EXPECT_TRUE(sessions.End(status, clock_.Now()).ok());
    return sessions.session();
  }
  // An import that fails for `reason`, and leaves the catalog as it was.
  void ExpectRefused(const std::string& reason, const std::string& text) {
    const uint64_t head = catalog_->durable_head();
    const v1::Session session = Import();
    ASSERT_EQ(session.outcome(), v1::SYNC_OUTCOME_FAILED) << session.DebugString();
    EXPECT_EQ(session.errors(0).reason(), reason) << session.errors(0).message();
    EXPECT_THAT(session.errors(0).message(), HasSubstr(text));
    EXPECT_EQ(catalog_->durable_head(), head);
  }
  void ExpectImported(int revisions) {
    const v1::Session session = Import();
    EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_SUCCEEDED) << session.DebugString();
    EXPECT_EQ(session.counts().revisions(), revisions);
  }
  // The current revision of the update with this title.
  v1::Revision Update(const std::string& title) const {
    const CatalogReader reader = catalog_.Read();
    const std::vector<RecordColumns> all = *reader.List(v1::RECORD_KIND_REVISION, "", 100);
    for (const RecordColumns& columns : all) {
      if (columns.header.title() != title) continue;
      return *UnpackRevision(*reader.GetRecord(reader.CurrentRevision(columns.key.id)->key));
    }
    return {};
  }

  TemporaryDirectory directory_;
  const std::string architecture_ = MachineArchitecture();
  TestCatalog catalog_;
  ManualClock clock_{absl::Now()};
  std::mt19937_64 random_{1};
  std::unique_ptr<HttpOrigin> origin_;
  config::v1::DebianSource config_;
};

TEST_F(HttpImportTest, ImportsAndThenAsksForTheReleaseAlone) {
  ExpectImported(2);
  EXPECT_THAT(origin_->requests(), Contains(IndexPath()));
  origin_->ForgetRequests();
  const uint64_t head = catalog_->durable_head();
  ExpectImported(0);
  EXPECT_THAT(origin_->requests(), ElementsAre("/dists/stable-security/InRelease"));
  EXPECT_EQ(catalog_->durable_head(), head);
}

TEST_F(HttpImportTest, FetchesOnlyTheIndexesWhoseDigestChanged) {
  ExpectImported(2);
  origin_->ForgetRequests();
  WriteFile(dists() + "/Release",
            absl::StrReplaceAll(ReadFile(dists() + "/Release"), {{"Label: Test", "Label: Other"}}));
  Make("sign");
  ExpectImported(0);
  EXPECT_THAT(origin_->requests(), ElementsAre("/dists/stable-security/InRelease"));
}

TEST_F(HttpImportTest, TakesTheConfiguredLanguagesOnly) {
  ExpectImported(2);
  EXPECT_THAT(origin_->requests(), Not(Contains(HasSubstr("Translation-de"))));
  const v1::Revision english = Update("harbour 1.4.2-1");
  ASSERT_THAT(english.texts(), SizeIs(1));
  EXPECT_THAT(english.texts(0).description(), HasSubstr("harbour: short text of harbour"));

  config_.add_languages("de");
  // The repository is as it was; what is wanted of it has changed.
  ExpectImported(2);
  const v1::Revision both = Update("harbour 1.4.2-1");
  ASSERT_THAT(both.texts(), SizeIs(2)) << both.DebugString();
  EXPECT_EQ(both.texts(0).language(), "de");
  EXPECT_THAT(both.texts(0).description(), HasSubstr("harbour: kurzer Text von harbour"));
}

TEST_F(HttpImportTest, TakesGzipAndPlainIndexesWhereThereIsNoOther) {
  for (const std::string packing : {".xz", ".gz"}) {
    std::filesystem::remove(index() + packing);
    std::string release = ReadFile(dists() + "/Release");
    std::string kept;
    std::stringstream lines(release);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("Packages" + packing) == std::string::npos) kept += line + "\n";
    }
    WriteFile(dists() + "/Release", kept);
    Make("sign");
    std::filesystem::remove_all(directory_.path() + "/cache");
    const v1::Session session = Import();
    EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_SUCCEEDED) << session.DebugString();
  }
  EXPECT_THAT(origin_->requests(), AllOf(Contains(IndexPath(architecture_, ".gz")),
                                         Contains(IndexPath(architecture_, ""))));
}

TEST_F(HttpImportTest, FetchesByHashWhereTheReleaseSaysSo) {
  const std::string by_hash =
      absl::StrCat(dists(), "/main/binary-", architecture_, "/by-hash/SHA256");
  std::filesystem::create_directories(by_hash);
  const std::string hex = Digest::Of(ReadFile(index() + ".xz")).ToHex();
  std::filesystem::rename(index() + ".xz", by_hash + "/" + hex);
  WriteFile(dists() + "/Release",
            absl::StrCat("Acquire-By-Hash: yes\n", ReadFile(dists() + "/Release")));
  Make("sign");
  ExpectImported(2);
  EXPECT_THAT(origin_->requests(), Contains(HasSubstr("/by-hash/SHA256/" + hex)));
}

TEST_F(HttpImportTest, DoesWithoutAnIndexOfArchitectureAll) {
  config_.add_architectures("all");
  ExpectImported(2);
  config_.add_architectures("s390x");
  ExpectRefused("SOURCE_MISMATCH", "lists no index main/binary-s390x/Packages");
}

TEST_F(HttpImportTest, RefusesABadSignature) {
  WriteFile(dists() + "/InRelease", absl::StrReplaceAll(ReadFile(dists() + "/InRelease"),
                                                        {{"Label: Test", "Label: Evil"}}));
  ExpectRefused("SOURCE_SIGNATURE", "InRelease");
  Make("sign");
  ExpectImported(2);
}

TEST_F(HttpImportTest, RefusesAMissingSignature) {
  std::filesystem::remove(dists() + "/InRelease");
  std::filesystem::remove(dists() + "/Release.gpg");
  ExpectRefused("SOURCE_SIGNATURE", "Release is not signed");
  Make("sign");
  ExpectImported(2);
}

TEST_F(HttpImportTest, TakesADetachedSignatureWhereThereIsNoInRelease) {
  std::filesystem::remove(dists() + "/InRelease");
  ExpectImported(2);
}

TEST_F(HttpImportTest, RefusesAnExpiredRelease) {
  WriteFile(dists() + "/Release", absl::StrCat("Valid-Until: Mon, 02 Nov 2026 00:00:00 +0000\n",
                                               ReadFile(dists() + "/Release")));
  Make("sign");
  clock_.Advance(absl::Hours(24 * 365));
  ExpectRefused("SOURCE_EXPIRED", "2026");
}

TEST_F(HttpImportTest, RefusesTextAroundTheSignedPart) {
  const std::string sound = ReadFile(dists() + "/InRelease");
  WriteFile(dists() + "/InRelease", "Origin: Evil\n" + sound);
  ExpectRefused("SOURCE_SIGNATURE", "");
  WriteFile(dists() + "/InRelease", sound + "Origin: Evil\n");
  ExpectRefused("SOURCE_SIGNATURE", "");
  WriteFile(dists() + "/InRelease", sound);
  ExpectImported(2);
}

TEST_F(HttpImportTest, RefusesAnIndexOfTheSameSizeWithOtherBytes) {
  std::string packed = ReadFile(index() + ".xz");
  packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] ^ 1);
  origin_->Set(IndexPath(), HttpOrigin::Body(packed));
  ExpectRefused("SOURCE_MISMATCH", "Packages");
  origin_->Reset();
  ExpectImported(2);
}

TEST_F(HttpImportTest, RefusesATruncatedIndex) {
  const std::string packed = ReadFile(index() + ".xz");
  const std::string half = packed.substr(0, packed.size() / 2);
  origin_->Set(IndexPath(), HttpOrigin::Body(half));
  ExpectRefused("SOURCE_MISMATCH", "Packages");
  origin_->Set(IndexPath(), HttpOrigin::CutShort(half, packed.size()));
  ExpectRefused("SOURCE_UNAVAILABLE", "Packages");
  origin_->Reset();
  ExpectImported(2);
}

TEST_F(HttpImportTest, SaysWhatIsGone) {
  for (const char* packing : {".xz", ".gz", ""}) {
    origin_->Set(IndexPath(architecture_, packing),
                 HttpOrigin::Status(404, "Content-Length: 0\r\n"));
  }
  ExpectRefused("SOURCE_UNAVAILABLE", "Packages");
  origin_->Reset();
  origin_->Set(IndexPath(), HttpOrigin::Status(500, "Content-Length: 0\r\n"));
  ExpectRefused("SOURCE_UNAVAILABLE", "500");
  config_.set_suite("unheard-of");
  ExpectRefused("SOURCE_UNAVAILABLE", "unheard-of");
}

TEST_F(HttpImportTest, TakesAnotherPackingOfAnIndexThatIsGone) {
  origin_->Set(IndexPath(), HttpOrigin::Status(404, "Content-Length: 0\r\n"));
  ExpectImported(2);
  EXPECT_THAT(origin_->requests(), Contains(IndexPath(architecture_, ".gz")));
}

TEST_F(HttpImportTest, BreaksOffAnEndlessAnswer) {
  origin_->Set(IndexPath(), HttpOrigin::Endless());
  ExpectRefused("SOURCE_MISMATCH", "more than the");
  origin_->Reset();
  origin_->Set("/dists/stable-security/InRelease", HttpOrigin::Endless());
  ExpectRefused("SOURCE_MISMATCH", "more than the 4194304 bytes");
}

TEST_F(HttpImportTest, BreaksOffAnEndlessErrorPage) {
  origin_->Set("/dists/stable-security/InRelease", HttpOrigin::Endless(500));
  ExpectRefused("SOURCE_UNAVAILABLE", "answered 500");
  for (const char* packing : {".xz", ".gz", ""}) {
    origin_->Set(IndexPath(architecture_, packing), HttpOrigin::Endless(404));
  }
  origin_->Set("/dists/stable-security/InRelease",
               HttpOrigin::Body(ReadFile(dists() + "/InRelease")));
  ExpectRefused("SOURCE_UNAVAILABLE", "there is no such file");
  origin_->Reset();
  ExpectImported(2);
}

TEST_F(HttpImportTest, ShowsNoPassword) {
  config_.set_proxy(absl::StrReplaceAll(origin_->url(), {{"http://", "http://bob:topsecret@"}}));
  config_.set_uri("http://ann:topsecret@archive.invalid");
  origin_->DemandCredentials();
  ExpectRefused("PROXY_AUTH", "answered 407");
  EXPECT_THAT(Import().DebugString(), Not(HasSubstr("topsecret")));
  // With the right ones it gets through.
  config_.set_proxy(absl::StrReplaceAll(origin_->url(), {{"http://", "http://ann:secret@"}}));
  ExpectImported(2);
  config_.set_suite("unheard-of");
  EXPECT_THAT(Import().DebugString(), Not(HasSubstr("topsecret")));
}

TEST_F(HttpImportTest, ShowsNoPasswordOfARepositoryThatIsBroken) {
  config_.set_uri(absl::StrReplaceAll(origin_->url(), {{"http://", "http://ann:topsecret@"}}));
  std::string packed = ReadFile(index() + ".xz");
  origin_->Set(IndexPath(), HttpOrigin::Body(packed.substr(0, packed.size() / 2)));
  ExpectRefused("SOURCE_MISMATCH", origin_->url());
  EXPECT_THAT(Import().DebugString(), Not(HasSubstr("topsecret")));
  packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] ^ 1);
  origin_->Set(IndexPath(), HttpOrigin::Body(packed));
  ExpectRefused("SOURCE_MISMATCH", origin_->url());
  EXPECT_THAT(Import().DebugString(), Not(HasSubstr("topsecret")));
}

// A password that was stored would go on being used, and lie in every backup.
TEST_F(HttpImportTest, StoresNoPasswordAndFetchesWithThatOfNow) {
  config_.set_uri(absl::StrReplaceAll(origin_->url(), {{"http://", "http://ann:old@"}}));
  origin_->DemandLogin("ann:old");
  ExpectImported(2);
  const v1::UpdateFile file = Update("harbour 1.4.2-1").files(0);
  const auto origin =
      catalog_.Read().GetRow<stored::v1::ContentOrigin>(Family::kContentOrigins, file.sha256());
  ASSERT_TRUE(origin.ok()) << origin.status();
  EXPECT_EQ(origin->base(), origin_->url());

  config_.set_uri(absl::StrReplaceAll(origin_->url(), {{"http://", "http://ann:new@"}}));
  origin_->DemandLogin("ann:new");
  ExpectImported(0);
  DebianSource source("security", config_, clock_, directory_.path() + "/cache");
  std::string bytes;
  const absl::Status fetched = source.ReadFile(*origin, 0,
                                               [&bytes](absl::string_view data) {
                                                 absl::StrAppend(&bytes, data);
                                                 return absl::OkStatus();
                                               },
                                               {});
  EXPECT_TRUE(fetched.ok()) << fetched;
  EXPECT_EQ(Digest::Of(bytes).bytes(), file.sha256());
}

TEST_F(HttpImportTest, BreaksOffASilentOne) {
  origin_->Set("/dists/stable-security/InRelease", HttpOrigin::Silence());
  CurlFetcher fetcher;
  debian::RepositoryConfig config;
  config.uri = origin_->url();
  config.suite = "stable-security";
  config.components = {"main"};
  config.architectures = {architecture_};
  config.keyring = folder() + "/key.asc";
  config.stall_timeout = absl::Seconds(1);
  const auto snapshot =
      debian::Repository(config, fetcher, clock_, directory_.path() + "/cache").Read("", {});
  EXPECT_EQ(ReasonOf(snapshot.status()), v1::REASON_SOURCE_UNAVAILABLE) << snapshot.status();
}

TEST_F(HttpImportTest, EndsAtACircleOfRedirectsAndLeavesHttpForNothingElse) {
  origin_->Set("/dists/stable-security/InRelease",
               HttpOrigin::Status(302,
                                  "Location: /dists/stable-security/InRelease\r\n"
                                  "Content-Length: 0\r\n"));
  ExpectRefused("SOURCE_UNAVAILABLE", "redirect");
  origin_->Set("/dists/stable-security/InRelease",
               HttpOrigin::Status(302, absl::StrCat("Location: file://", dists(),
                                                    "/InRelease\r\nContent-Length: 0\r\n")));
  ExpectRefused("SOURCE_UNAVAILABLE", "rotocol");
}

TEST_F(HttpImportTest, GoesThroughTheProxyAndNamesItWhenItRefuses) {
  config_.set_proxy(origin_->url());
  config_.set_uri("http://archive.invalid");
  ExpectImported(2);
  EXPECT_THAT(origin_->requests(),
              Contains("http://archive.invalid/dists/stable-security/InRelease"));
  origin_->DemandCredentials();
  ExpectRefused("PROXY_AUTH", origin_->url());
  config_.set_proxy("http://127.0.0.1:1");
  ExpectRefused("SOURCE_UNAVAILABLE", "archive.invalid");
}

TEST_F(HttpImportTest, NeverUsesTheProxyOfTheEnvironment) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("all_proxy", "http://127.0.0.1:1", 1);
  ExpectImported(2);
  unsetenv("http_proxy");
  unsetenv("all_proxy");
}

}  // namespace
}  // namespace sluice
