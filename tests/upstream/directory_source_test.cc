#include "upstream/directory_source.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/temporary_directory.h"
#include "tests/upstream/source_catalog.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A folder of manifests.
class DirectorySourceTest : public ::testing::Test {
 protected:
  DirectorySourceTest() {
    Write("agent.bin", "bytes of the agent");
    Write("agent.yaml", ManifestOf("agent", "agent.bin"));
  }

  static std::string ManifestOf(absl::string_view name, absl::string_view file) {
    return absl::StrCat("name: ", name, "\ntexts:\n  - language: en\n    title: ", name,
                        "\nproducts: [Contoso/Agent]\nclassification: Security Updates\n",
                        "files:\n  - path: ", file, "\n");
  }

  void Write(const std::string& name, absl::string_view text) {
    std::ofstream(absl::StrCat(folder_.path(), "/", name), std::ios::binary) << std::string(text);
  }

  SourceCatalog Read(const std::string& state = "") {
    DirectorySource folder = source();
    absl::StatusOr<SourceCatalog> catalog = ReadAll(folder, state);
    EXPECT_TRUE(catalog.ok()) << catalog.status();
    return catalog.ok() ? *std::move(catalog) : SourceCatalog();
  }

  DirectorySource source() const {
    config::v1::DirectorySource config;
    config.set_path(folder_.path());
    return DirectorySource("in-house", config);
  }

  TemporaryDirectory folder_;
};

TEST_F(DirectorySourceTest, OffersEachManifestWithItsFilesMeasured) {
  const SourceCatalog catalog = Read();
  EXPECT_THAT(catalog.problems, IsEmpty());
  EXPECT_FALSE(catalog.incomplete);
  ASSERT_THAT(catalog.revisions, SizeIs(1));
  EXPECT_EQ(catalog.revisions[0].files(0).sha256(), Digest::Of("bytes of the agent").bytes());
  EXPECT_EQ(catalog.revisions[0].files(0).size_bytes(), 18);
  ASSERT_THAT(catalog.files, SizeIs(1));
  EXPECT_EQ(catalog.files[0].origin.source(), "in-house");
}

TEST_F(DirectorySourceTest, SaysUnchangedUntilAFileChanges) {
  const std::string state = Read().state;
  EXPECT_TRUE(Read(state).unchanged);
  Write("agent.bin", "other bytes");
  EXPECT_FALSE(Read(state).unchanged);
}

TEST_F(DirectorySourceTest, NamesABadManifestAndTakesTheOthers) {
  Write("bad.yaml", "name: [");
  Write("field.yaml", "name: x\ncolour: red\n");
  const SourceCatalog catalog = Read();
  EXPECT_THAT(catalog.revisions, SizeIs(1));
  EXPECT_TRUE(catalog.incomplete);
  ASSERT_THAT(catalog.problems, SizeIs(2));
  EXPECT_EQ(catalog.problems[0].item, "bad.yaml");
  EXPECT_EQ(catalog.problems[1].item, "field.yaml");
  EXPECT_THAT(std::string(catalog.problems[1].status.message()), HasSubstr("colour"));
}

TEST_F(DirectorySourceTest, NamesTheFieldOfAFileThatIsNotThere) {
  Write("agent.yaml", ManifestOf("agent", "absent.bin"));
  const SourceCatalog catalog = Read();
  ASSERT_THAT(catalog.problems, SizeIs(1));
  EXPECT_THAT(std::string(catalog.problems[0].status.message()),
              HasSubstr("files[0].path: absent.bin"));
}

TEST_F(DirectorySourceTest, RefusesAFileWhoseDigestIsNotTheManifests) {
  Write("agent.yaml", absl::StrCat(ManifestOf("agent", "agent.bin"),
                                   "    sha256: ", Digest::Of("other").ToHex(), "\n"));
  const SourceCatalog catalog = Read();
  ASSERT_THAT(catalog.problems, SizeIs(1));
  EXPECT_EQ(ReasonOf(catalog.problems[0].status), v1::REASON_SOURCE_MISMATCH);
}

TEST_F(DirectorySourceTest, FollowsNoSymbolicLink) {
  TemporaryDirectory outside;
  std::ofstream(outside.path() + "/secret.bin") << "secret";
  std::filesystem::create_symlink(outside.path() + "/secret.bin", folder_.path() + "/link.bin");
  std::filesystem::create_directory_symlink(outside.path(), folder_.path() + "/linked");
  std::filesystem::create_symlink(folder_.path() + "/agent.yaml", folder_.path() + "/link.yaml");
  Write("a.yaml", ManifestOf("a", "link.bin"));
  Write("b.yaml", ManifestOf("b", "linked/secret.bin"));
  Write("c.yaml", ManifestOf("c", "../agent.bin"));
  const SourceCatalog catalog = Read();
  EXPECT_THAT(catalog.revisions, SizeIs(1));
  ASSERT_THAT(catalog.problems, SizeIs(4));
  EXPECT_THAT(std::string(catalog.problems[0].status.message()), HasSubstr("symbolic link"));
  EXPECT_THAT(std::string(catalog.problems[1].status.message()), HasSubstr("symbolic link"));
  EXPECT_EQ(ReasonOf(catalog.problems[2].status), v1::REASON_INVALID_REQUEST);
  EXPECT_EQ(catalog.problems[3].item, "link.yaml");
}

TEST_F(DirectorySourceTest, RefusesTwoManifestsOfOneUpdate) {
  Write("again.yaml", ManifestOf("agent", "agent.bin"));
  const SourceCatalog catalog = Read();
  EXPECT_THAT(catalog.revisions, SizeIs(1));
  EXPECT_THAT(catalog.problems, SizeIs(1));
}

TEST_F(DirectorySourceTest, IsUnavailableWithoutItsFolder) {
  config::v1::DirectorySource config;
  config.set_path(folder_.path() + "/absent");
  DirectorySource source("in-house", config);
  EXPECT_EQ(ReasonOf(ReadAll(source).status()), v1::REASON_SOURCE_UNAVAILABLE);
}

TEST_F(DirectorySourceTest, ReadsAFileFromAnOffset) {
  const SourceCatalog catalog = Read();
  std::string bytes;
  const auto sink = [&bytes](absl::string_view data) {
    bytes.append(data.data(), data.size());
    return absl::OkStatus();
  };
  EXPECT_TRUE(source().ReadFile(catalog.files[0].origin, 13, sink, {}).ok());
  EXPECT_EQ(bytes, "agent");
  std::filesystem::remove(folder_.path() + "/agent.bin");
  EXPECT_EQ(ReasonOf(source().ReadFile(catalog.files[0].origin, 0, sink, {})),
            v1::REASON_CONTENT_SOURCE_GONE);
}

}  // namespace
}  // namespace sluice
