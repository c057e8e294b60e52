#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/file_io.h"
#include "common/tls/certificate_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/tls_identities.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class CertificateDirectoryTest : public ::testing::Test {
 protected:
  CertificateDirectoryTest() {
    char path[] = "/tmp/certificates_test_XXXXXX";
    path_ = mkdtemp(path);
    std::filesystem::create_directory(path_ + "/incoming");
  }
  ~CertificateDirectoryTest() override { std::filesystem::remove_all(path_); }

  void Arrive(const CertificateFiles& files) {
    ASSERT_TRUE(WriteCertificateFiles(path_ + "/incoming", files).ok());
  }
  absl::StatusOr<std::unique_ptr<CertificateDirectory>> Open() {
    return CertificateDirectory::Open(path_, kNodeId, absl::Now());
  }
  std::string LiveKey() { return ReadSmallFile(path_ + "/live/key.pem").value_or("none"); }
  bool HasArrived(const std::string& file) {
    return std::filesystem::exists(path_ + "/incoming/" + file);
  }
  int Generations() {
    int generations = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      generations += entry.path().filename().string().rfind("gen-", 0) == 0 ? 1 : 0;
    }
    return generations;
  }

  const TestAuthority authority_;
  std::string path_;
};

TEST_F(CertificateDirectoryTest, TakesWhatLiesThereAtTheStart) {
  const CertificateFiles files = authority_.Node();
  Arrive(files);
  const auto directory = Open();
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(LiveKey(), files.key);
  EXPECT_EQ((*directory)->live().identity.name, kNodeId);
  EXPECT_FALSE(HasArrived("key.pem"));
  struct stat info {};
  ASSERT_EQ(stat((*directory)->paths().key.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(CertificateDirectoryTest, SaysWhatToDoWhenThereIsNone) {
  const absl::Status status = Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("certificate issue --node ", kNodeId)));
}

TEST_F(CertificateDirectoryTest, SaysWhyWhatLiesThereIsNoneOfItsOwn) {
  Arrive(authority_.Node(kOtherNodeId));
  EXPECT_THAT(Open().status().message(), HasSubstr(kOtherNodeId));
}

TEST_F(CertificateDirectoryTest, KeepsTheOldSetWhenTheNewOneIsBad) {
  const CertificateFiles first = authority_.Node();
  Arrive(first);
  const auto directory = Open();
  ASSERT_TRUE(directory.ok()) << directory.status();
  CertificateFiles bad = authority_.Node();
  bad.key = "";
  CertificateFiles mismatched = authority_.Node();
  mismatched.key = authority_.Node().key;
  for (const CertificateFiles& files :
       {bad, mismatched, authority_.Node(kOtherNodeId), authority_.Node(kNodeId, absl::Minutes(60)),
        TestAuthority().User("ann"), TestAuthority("fabrikam.example").Node()}) {
    Arrive(files);
    const auto later = (*directory)->Look(absl::Now() + absl::Minutes(1));
    EXPECT_FALSE(later.changed);
    EXPECT_FALSE(later.refused.ok());
    EXPECT_EQ(LiveKey(), first.key);
    EXPECT_TRUE(HasArrived("key.pem"));
    EXPECT_TRUE((*directory)->Look(absl::Now()).refused.ok()) << "said once for each set";
  }
}

TEST_F(CertificateDirectoryTest, WaitsForAllThreeFiles) {
  Arrive(authority_.Node());
  const auto directory = Open();
  ASSERT_TRUE(directory.ok()) << directory.status();
  const CertificateFiles next = authority_.Node();
  ASSERT_TRUE(WriteSmallFile(path_ + "/incoming/cert.pem", next.certificate).ok());
  const auto early = (*directory)->Look(absl::Now());
  EXPECT_FALSE(early.changed);
  EXPECT_TRUE(early.refused.ok());
  Arrive(next);
  EXPECT_TRUE((*directory)->Look(absl::Now()).changed);
  EXPECT_EQ(LiveKey(), next.key);
}

TEST_F(CertificateDirectoryTest, KeepsTwoGenerations) {
  Arrive(authority_.Node());
  const auto directory = Open();
  ASSERT_TRUE(directory.ok()) << directory.status();
  for (int i = 0; i < 5; ++i) {
    Arrive(authority_.Node());
    ASSERT_TRUE((*directory)->Look(absl::Now()).changed);
  }
  EXPECT_EQ(Generations(), 2);
}

// Every look took them again, and made a generation of them.
TEST_F(CertificateDirectoryTest, TakesFilesThatCannotBeRemovedOnce) {
  const std::string incoming = path_ + "/incoming";
  const CertificateFiles first = authority_.Node();
  Arrive(first);
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0) {
    GTEST_SKIP() << "only root can make the folder read-only";
  }
  ASSERT_EQ(mount(incoming.c_str(), incoming.c_str(), "", MS_BIND, nullptr), 0);
  const auto set_read_only = [&](unsigned long read_only) {
    const unsigned long flags = MS_REMOUNT | MS_BIND | read_only;
    ASSERT_EQ(mount("", incoming.c_str(), "", flags, nullptr), 0);
  };
  set_read_only(MS_RDONLY);
  {
    const auto directory = Open();
    ASSERT_TRUE(directory.ok()) << directory.status();
    const auto again = (*directory)->Look(absl::Now());
    EXPECT_FALSE(again.changed);
    EXPECT_TRUE(again.refused.ok()) << again.refused;
    EXPECT_TRUE(Open().ok());
    EXPECT_EQ(Generations(), 1);

    set_read_only(0);
    const CertificateFiles next = authority_.Node();
    Arrive(next);
    set_read_only(MS_RDONLY);
    EXPECT_TRUE((*directory)->Look(absl::Now()).changed);
    EXPECT_EQ(LiveKey(), next.key);
  }
  ASSERT_EQ(umount(incoming.c_str()), 0);
}

// A Secret of Kubernetes is links to a folder that is exchanged as a whole.
TEST_F(CertificateDirectoryTest, FollowsLinks) {
  const CertificateFiles files = authority_.Node();
  const std::string data = path_ + "/incoming/..data";
  ASSERT_TRUE(WriteCertificateFiles(data, files).ok());
  for (const std::string file : {"key.pem", "cert.pem", "ca.pem"}) {
    std::filesystem::create_symlink("..data/" + file, path_ + "/incoming/" + file);
  }
  const auto directory = Open();
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(LiveKey(), files.key);
  EXPECT_FALSE(HasArrived("key.pem"));
}

// What a kill between any two steps of publishing leaves.
TEST_F(CertificateDirectoryTest, GoesOnAfterAKillInTheMiddleOfPublishing) {
  const CertificateFiles first = authority_.Node();
  Arrive(first);
  ASSERT_TRUE(Open().ok());
  const CertificateFiles next = authority_.Node();
  Arrive(next);
  // A generation that is half written, and a link that was not renamed yet.
  std::filesystem::create_directory(path_ + "/gen-000002");
  ASSERT_TRUE(WriteSmallFile(path_ + "/gen-000002/key.pem", "half").ok());
  std::filesystem::create_symlink("gen-000002", path_ + "/live.new");
  EXPECT_EQ(LiveKey(), first.key);
  const auto directory = Open();
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(LiveKey(), next.key);
  // Killed after the rename, before the arrived files were removed: taken once more.
  Arrive(next);
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(LiveKey(), next.key);
}

TEST_F(CertificateDirectoryTest, RefusesALiveSetThatHasExpired) {
  Arrive(authority_.Node());
  ASSERT_TRUE(Open().ok());
  const auto later = CertificateDirectory::Open(path_, kNodeId, absl::Now() + absl::Hours(48));
  EXPECT_THAT(later.status().message(), HasSubstr("expired at"));
}

}  // namespace
}  // namespace sluice
