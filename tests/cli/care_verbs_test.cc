// `backup` and `space`.
#include "gmock/gmock.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kService[] = "sluice.v1.MaintenanceService/";

v1::Backup MakeBackup(uint32_t id) {
  v1::Backup backup;
  backup.set_backup_id(id);
  backup.mutable_made_at()->set_seconds(1795500000);
  backup.set_size_bytes(12 << 20);
  backup.set_head_seq(4711);
  backup.set_release("0.1.0");
  return backup;
}

class CareVerbsTest : public CliTest {
 protected:
  template <typename Request, typename Response>
  void Streams(const std::string& name) {
    Response progress;
    progress.mutable_progress()->set_copied_bytes(4 << 20);
    progress.mutable_progress()->set_total_bytes(12 << 20);
    Response last;
    *last.mutable_backup() = MakeBackup(3);
    node_.Answer<Request, Response>(kService + name, {progress, last});
  }
};

TEST_F(CareVerbsTest, CreatesABackupAndKeepsSome) {
  Streams<v1::CreateBackupRequest, v1::CreateBackupResponse>("CreateBackup");
  EXPECT_EQ(Run({"backup", "create", "--keep", "7"}), 0);
  EXPECT_EQ(out_, "made backup 3 of 2026-11-24 06:00:00 (12 MiB, up to seq 4711)\n");
  EXPECT_THAT(node_.calls(), ElementsAre(HasSubstr("\"keep\":7")));
  EXPECT_EQ(Run({"backup", "create", "-o", "name"}), 0);
  EXPECT_EQ(out_, "3\n");
}

TEST_F(CareVerbsTest, ADryRunSaysWhatABackupWouldTake) {
  v1::CreateBackupResponse progress;
  progress.mutable_progress()->set_total_bytes(12 << 20);
  node_.Answer<v1::CreateBackupRequest, v1::CreateBackupResponse>(
      std::string(kService) + "CreateBackup", {progress});
  EXPECT_EQ(Run({"backup", "create", "--dry-run"}), 0);
  EXPECT_THAT(err_, HasSubstr("at most 12 MiB"));
  EXPECT_THAT(node_.calls(), ElementsAre(HasSubstr("\"validateOnly\":true")));
}

TEST_F(CareVerbsTest, VerifiesTheNewestOrTheNamedOne) {
  Streams<v1::VerifyBackupRequest, v1::VerifyBackupResponse>("VerifyBackup");
  EXPECT_EQ(Run({"backup", "verify"}), 0);
  EXPECT_THAT(out_, HasSubstr("whole: backup 3"));
  EXPECT_EQ(Run({"backup", "verify", "2"}), 0);
  EXPECT_THAT(node_.calls(), ElementsAre(HasSubstr("{}"), HasSubstr("\"backupId\":2")));
}

TEST_F(CareVerbsTest, ListsAndDeletesBackups) {
  v1::ListBackupsResponse list;
  *list.add_backups() = MakeBackup(2);
  *list.add_backups() = MakeBackup(3);
  node_.Answer<v1::ListBackupsRequest, v1::ListBackupsResponse>(
      std::string(kService) + "ListBackups", {list});
  EXPECT_EQ(Run({"backup", "list"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("BACKUP"), HasSubstr("4711"), HasSubstr("0.1.0")));
  EXPECT_EQ(Run({"backup", "list", "-o", "name"}), 0);
  EXPECT_EQ(out_, "2\n3\n");
  node_.Answer<v1::DeleteBackupRequest, v1::DeleteBackupResponse>(
      std::string(kService) + "DeleteBackup", {v1::DeleteBackupResponse()});
  EXPECT_EQ(Run({"backup", "delete", "2"}), 0);
  EXPECT_THAT(err_, HasSubstr("deleted backup 2"));
}

TEST_F(CareVerbsTest, RefusesWhatIsNoNumber) {
  EXPECT_EQ(Run({"backup", "create", "--keep", "0"}), 2);
  EXPECT_EQ(Run({"backup", "delete", "newest"}), 2);
  EXPECT_THAT(err_, HasSubstr("newest"));
  EXPECT_EQ(Run({"backup", "verify", "-1"}), 2);
  EXPECT_EQ(Run({"backup", "delete"}), 2);
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(CareVerbsTest, ShowsTheVolumesAndTheBallast) {
  v1::GetSpaceResponse space;
  v1::Volume& volume = *space.add_volumes();
  volume.set_purpose("store");
  volume.set_path("/var/lib/sluice/state");
  volume.set_free_bytes(int64_t{3} << 30);
  volume.set_keep_free_bytes(256 << 20);
  space.set_ballast_bytes(128 << 20);
  node_.Answer<v1::GetSpaceRequest, v1::GetSpaceResponse>(std::string(kService) + "GetSpace",
                                                          {space});
  EXPECT_EQ(Run({"space", "list"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("3.0 GiB"), HasSubstr("256 MiB"),
                          HasSubstr("ballast of 128 MiB NOT in place")));
}

TEST_F(CareVerbsTest, ReleasesAndReservesTheBallast) {
  v1::ReleaseBallastResponse released;
  released.set_released_bytes(128 << 20);
  node_.Answer<v1::ReleaseBallastRequest, v1::ReleaseBallastResponse>(
      std::string(kService) + "ReleaseBallast", {released});
  EXPECT_EQ(Run({"space", "release", "--dry-run"}), 0);
  EXPECT_EQ(out_, "would give back 128 MiB\n");
  EXPECT_EQ(Run({"space", "release"}), 0);
  EXPECT_EQ(out_, "gave back 128 MiB\n");
  v1::ReserveBallastResponse reserved;
  reserved.set_reserved_bytes(128 << 20);
  node_.Answer<v1::ReserveBallastRequest, v1::ReserveBallastResponse>(
      std::string(kService) + "ReserveBallast", {reserved});
  EXPECT_EQ(Run({"space", "reserve"}), 0);
  EXPECT_EQ(out_, "128 MiB are reserved\n");
}

}  // namespace
}  // namespace sluice
