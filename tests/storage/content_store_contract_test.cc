// The contract of a content store, for every medium.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/file_content_store.h"
#include "storage/memory_content_store.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

struct Medium {
  std::string name;
  std::function<std::unique_ptr<ContentStore>(const std::string& directory)> make;
};

std::unique_ptr<ContentStore> OpenFiles(const std::string& directory) {
  absl::StatusOr<std::unique_ptr<FileContentStore>> store = FileContentStore::Open(directory);
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

class ContentStoreContract : public ::testing::TestWithParam<Medium> {
 protected:
  absl::Status Store(absl::string_view bytes, const Digest& digest) {
    auto writer = store_->Write(digest, static_cast<int64_t>(bytes.size()));
    if (!writer.ok()) return writer.status();
    if (absl::Status status =
            (*writer)->Append(bytes.substr(static_cast<size_t>((*writer)->staged_bytes())));
        !status.ok()) {
      return status;
    }
    return (*writer)->Commit();
  }

  TemporaryDirectory directory_;
  std::unique_ptr<ContentStore> store_ = GetParam().make(directory_.path());
  const std::string bytes_ = "the bytes of a file";
  const Digest digest_ = Digest::Of(bytes_);
};

TEST_P(ContentStoreContract, GivesBackWhatWasStored) {
  ASSERT_TRUE(Store(bytes_, digest_).ok());
  EXPECT_EQ(store_->Stat(digest_)->size_bytes, static_cast<int64_t>(bytes_.size()));
  EXPECT_EQ(*store_->Read(digest_, 0, 1000), bytes_);
  EXPECT_EQ(*store_->Read(digest_, 4, 5), "bytes");
  EXPECT_EQ(*store_->Read(digest_, static_cast<int64_t>(bytes_.size()), 5), "");
  EXPECT_EQ(store_->Read(digest_, 1000, 5).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(store_->Verify(digest_).ok());
}

TEST_P(ContentStoreContract, ShowsNothingBeforeItIsCommitted) {
  auto writer = store_->Write(digest_, static_cast<int64_t>(bytes_.size()));
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Append(bytes_).ok());
  EXPECT_EQ(ReasonOf(store_->Stat(digest_).status()), v1::REASON_CONTENT_MISSING);
  EXPECT_EQ(ReasonOf(store_->Read(digest_, 0, 1).status()), v1::REASON_CONTENT_MISSING);
  EXPECT_EQ(ReasonOf(store_->Verify(digest_)), v1::REASON_CONTENT_MISSING);
}

TEST_P(ContentStoreContract, RefusesOtherBytesOfTheSameSize) {
  std::string altered = bytes_;
  altered[3] = 'X';
  EXPECT_EQ(ReasonOf(Store(altered, digest_)), v1::REASON_CONTENT_CORRUPT);
  EXPECT_EQ(ReasonOf(store_->Stat(digest_).status()), v1::REASON_CONTENT_MISSING);
  EXPECT_TRUE(Store(bytes_, digest_).ok());
}

TEST_P(ContentStoreContract, RefusesMoreAndFewerBytesThanAnnounced) {
  auto writer = store_->Write(digest_, 5);
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ((*writer)->Append(bytes_).code(), absl::StatusCode::kOutOfRange);
  ASSERT_TRUE((*writer)->Append("the").ok());
  EXPECT_EQ(ReasonOf((*writer)->Commit()), v1::REASON_CONTENT_CORRUPT);
}

TEST_P(ContentStoreContract, GoesOnBehindWhatIsStaged) {
  {
    auto writer = store_->Write(digest_, static_cast<int64_t>(bytes_.size()));
    ASSERT_TRUE((*writer)->Append(bytes_.substr(0, 7)).ok());
  }
  auto writer = store_->Write(digest_, static_cast<int64_t>(bytes_.size()));
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ((*writer)->staged_bytes(), 7);
  ASSERT_TRUE((*writer)->Append(bytes_.substr(7)).ok());
  EXPECT_TRUE((*writer)->Commit().ok());
  EXPECT_EQ(*store_->Read(digest_, 0, 1000), bytes_);
}

TEST_P(ContentStoreContract, LetsOneWriterAtATimeHaveADigest) {
  auto first = store_->Write(digest_, 5);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(store_->Write(digest_, 5).status().code(), absl::StatusCode::kFailedPrecondition);
  first->reset();
  EXPECT_TRUE(store_->Write(digest_, 5).ok());
}

TEST_P(ContentStoreContract, StoresAnEmptyFile) {
  ASSERT_TRUE(Store("", Digest::Of("")).ok());
  EXPECT_EQ(store_->Stat(Digest::Of(""))->size_bytes, 0);
}

TEST_P(ContentStoreContract, ForgetsWhatIsRemovedAndListsTheRest) {
  ASSERT_TRUE(Store(bytes_, digest_).ok());
  ASSERT_TRUE(Store("other", Digest::Of("other")).ok());
  ASSERT_TRUE(store_->Remove(digest_).ok());
  ASSERT_TRUE(store_->Remove(digest_).ok());
  std::vector<Digest> listed;
  ASSERT_TRUE(store_
                  ->ForEach([&listed](const ContentInfo& info) {
                    listed.push_back(info.digest);
                    return true;
                  })
                  .ok());
  EXPECT_THAT(listed, ::testing::ElementsAre(Digest::Of("other")));
}

INSTANTIATE_TEST_SUITE_P(Media, ContentStoreContract,
                         ::testing::Values(Medium{"Memory",
                                                  [](const std::string&) {
                                                    return std::make_unique<MemoryContentStore>();
                                                  }},
                                           Medium{"Files", OpenFiles}),
                         [](const ::testing::TestParamInfo<Medium>& medium) {
                           return medium.param.name;
                         });

// What a file system can do to a stored file behind the store's back.
class FileContentStoreTest : public ::testing::Test {
 protected:
  FileContentStoreTest() {
    auto writer = store_->Write(digest_, 5);
    EXPECT_TRUE((*writer)->Append("bytes").ok());
    EXPECT_TRUE((*writer)->Commit().ok());
  }

  TemporaryDirectory directory_;
  std::unique_ptr<FileContentStore> store_ = *FileContentStore::Open(directory_.path());
  const Digest digest_ = Digest::Of("bytes");
  const std::string path_ = store_->PathOf(digest_);
};

TEST_F(FileContentStoreTest, FindsAlteredBytes) {
  std::ofstream(path_) << "bytez";
  EXPECT_EQ(ReasonOf(store_->Verify(digest_)), v1::REASON_CONTENT_CORRUPT);
}

TEST_F(FileContentStoreTest, NeverFollowsASymbolicLink) {
  std::filesystem::rename(path_, directory_.path() + "/elsewhere");
  std::filesystem::create_symlink(directory_.path() + "/elsewhere", path_);
  EXPECT_EQ(ReasonOf(store_->Stat(digest_).status()), v1::REASON_CONTENT_CORRUPT);
  EXPECT_EQ(ReasonOf(store_->Verify(digest_)), v1::REASON_CONTENT_CORRUPT);
  EXPECT_FALSE(store_->Read(digest_, 0, 5).ok());
}

TEST_F(FileContentStoreTest, IsNotHeldUpByAFifo) {
  std::filesystem::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(ReasonOf(store_->Verify(digest_)), v1::REASON_CONTENT_CORRUPT);
}

TEST_F(FileContentStoreTest, KeepsTheNewestOfWhatItSetsAside) {
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = std::to_string(i);
    auto writer = store_->Write(Digest::Of(bytes), static_cast<int64_t>(bytes.size()));
    ASSERT_TRUE((*writer)->Append(bytes).ok());
    ASSERT_TRUE((*writer)->Commit().ok());
    ASSERT_TRUE(store_->Remove(Digest::Of(bytes)).ok());
  }
  const std::filesystem::directory_iterator quarantine(directory_.path() + "/quarantine");
  EXPECT_EQ(std::distance(begin(quarantine), end(quarantine)), 16);
}

// What nobody needs any more must give its space back.
TEST_F(FileContentStoreTest, SetsNothingAsideOfWhatIsRemovedForGood) {
  auto writer = store_->Write(Digest::Of("bytes"), 5);
  ASSERT_TRUE((*writer)->Append("bytes").ok());
  ASSERT_TRUE((*writer)->Commit().ok());
  ASSERT_TRUE(store_->Remove(Digest::Of("bytes"), Removal::kForGood).ok());
  ASSERT_TRUE(store_->Remove(Digest::Of("bytes"), Removal::kForGood).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->Stat(Digest::Of("bytes")).status()));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() + "/quarantine"));
}

}  // namespace
}  // namespace sluice
