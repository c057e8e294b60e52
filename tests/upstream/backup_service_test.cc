// Backups and the ballast over a real state directory.
#include "upstream/backup_service.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/temporary_directory.h"
#include "tests/upstream/bell.h"
#include "upstream/space_service.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMebibyte = int64_t{1} << 20;

class BackupServiceTest : public ::testing::Test {
 protected:
  explicit BackupServiceTest(bool configured = true) {
    EXPECT_TRUE(StateDirectory::Init(paths_, clock_, {.mode = v1::NODE_MODE_ROOT}).ok());
    state_ = *StateDirectory::Open(paths_);
    audit_ = std::make_unique<Audit>(state_->catalog(), clock_);
    backups_ = std::make_unique<BackupService>(
        *state_, *audit_,
        BackupService::Options{configured ? directory_.path() + "/backups" : "", "hq"});
    space_ = std::make_unique<SpaceService>(*state_, *audit_);
    backups_->AddTo(router_);
    space_->AddTo(router_);
  }

  // The last message of a call.
  template <typename Response>
  absl::StatusOr<Response> Call(const std::string& name, const google::protobuf::Message& request) {
    using Result = absl::StatusOr<Response>;
    const auto method = router_.Find("/sluice.v1.MaintenanceService/" + name);
    const std::unique_ptr<MessageExchange> call = (*method)->open(CallContext());
    Bell bell;
    call->OnWake([&bell] { bell.Ring(); });
    const absl::Status taken = call->OnMessage(request.SerializeAsString());
    if (!taken.ok()) return taken;
    Response last;
    while (true) {
      Pull pull;
      const bool came = bell.WaitUntil([&] {
        pull = call->Next();
        return pull.kind != Pull::Kind::kWait;
      });
      if (!came) return absl::DeadlineExceededError("nothing came");
      if (pull.kind == Pull::Kind::kEnd)
        return pull.status.ok() ? Result(last) : Result(pull.status);
      EXPECT_TRUE(last.ParseFromString(pull.message.head));
    }
  }
  absl::StatusOr<v1::Backup> Create(int keep = 0) {
    v1::CreateBackupRequest request;
    request.set_keep(keep);
    const auto response = Call<v1::CreateBackupResponse>("CreateBackup", request);
    if (!response.ok()) return response.status();
    return response->backup();
  }
  std::vector<std::string> Actions() {
    std::vector<std::string> actions;
    const auto response = audit_->List(v1::ListAuditEntriesRequest());
    for (const v1::AuditEntry& entry : response->entries()) actions.push_back(entry.action());
    return actions;
  }
  std::vector<std::string> ConditionReasons() const {
    std::vector<std::string> reasons;
    for (const v1::Condition& condition : space_->Conditions()) {
      reasons.push_back(condition.reason());
    }
    return reasons;
  }

  TemporaryDirectory directory_;
  const StatePaths paths_ = {directory_.path() + "/state", directory_.path() + "/content", 0,
                             kMebibyte};
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  std::unique_ptr<StateDirectory> state_;
  std::unique_ptr<Audit> audit_;
  std::unique_ptr<BackupService> backups_;
  std::unique_ptr<SpaceService> space_;
  Router router_;
};

TEST_F(BackupServiceTest, MakesVerifiesAndDeletesBackups) {
  const absl::StatusOr<v1::Backup> made = Create();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->backup_id(), 1U);
  EXPECT_EQ(made->epoch().epoch_id(), state_->catalog().epoch().epoch_id());
  const auto verified = Call<v1::VerifyBackupResponse>("VerifyBackup", v1::VerifyBackupRequest());
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->backup().backup_id(), 1U);
  v1::DeleteBackupRequest remove;
  remove.set_backup_id(1);
  ASSERT_TRUE(Call<v1::DeleteBackupResponse>("DeleteBackup", remove).ok());
  const auto listed = Call<v1::ListBackupsResponse>("ListBackups", v1::ListBackupsRequest());
  EXPECT_THAT(listed->backups(), IsEmpty());
  EXPECT_THAT(Actions(), Contains("create backup"));
  EXPECT_THAT(Actions(), Contains("delete backup"));
}

TEST_F(BackupServiceTest, KeepsAsManyAsItIsTold) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Create(2).ok());
  v1::ListBackupsRequest request;
  request.set_page_size(1);
  const auto first = Call<v1::ListBackupsResponse>("ListBackups", request);
  ASSERT_EQ(first->backups_size(), 1);
  EXPECT_EQ(first->backups(0).backup_id(), 3U);
  request.set_page_token(first->next_page_token());
  const auto second = Call<v1::ListBackupsResponse>("ListBackups", request);
  ASSERT_EQ(second->backups_size(), 1);
  EXPECT_EQ(second->backups(0).backup_id(), 4U);
  EXPECT_EQ(second->next_page_token(), "");
}

TEST_F(BackupServiceTest, SaysWhatItWouldTakeAndMakesNone) {
  v1::CreateBackupRequest request;
  request.set_validate_only(true);
  const auto response = Call<v1::CreateBackupResponse>("CreateBackup", request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_FALSE(response->has_backup());
  EXPECT_GT(response->progress().total_bytes(), 0);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/backups"));
}

TEST_F(BackupServiceTest, RefusesBadRequests) {
  EXPECT_TRUE(absl::IsInvalidArgument(Create(-1).status())) << Create(-1).status();
  v1::DeleteBackupRequest remove;
  EXPECT_TRUE(
      absl::IsInvalidArgument(Call<v1::DeleteBackupResponse>("DeleteBackup", remove).status()));
  remove.set_backup_id(9);
  EXPECT_EQ(ReasonOf(Call<v1::DeleteBackupResponse>("DeleteBackup", remove).status()),
            v1::REASON_ITEM_NOT_FOUND);
  v1::ListBackupsRequest list;
  list.set_page_token("!");
  EXPECT_TRUE(absl::IsInvalidArgument(Call<v1::ListBackupsResponse>("ListBackups", list).status()));
  ASSERT_TRUE(Create().ok());
  v1::VerifyBackupRequest verify;
  verify.set_backup_id(7);
  EXPECT_EQ(ReasonOf(Call<v1::VerifyBackupResponse>("VerifyBackup", verify).status()),
            v1::REASON_ITEM_NOT_FOUND);
}

class NoBackupServiceTest : public BackupServiceTest {
 protected:
  NoBackupServiceTest() : BackupServiceTest(false) {}
};

TEST_F(NoBackupServiceTest, NamesTheFieldThatIsMissing) {
  const absl::Status status = Create().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("node.backup_dir"));
}

TEST_F(BackupServiceTest, TheBallastStandsAsAConditionUntilItIsThereAgain) {
  EXPECT_THAT(ConditionReasons(), IsEmpty());
  const auto space = Call<v1::GetSpaceResponse>("GetSpace", v1::GetSpaceRequest());
  EXPECT_TRUE(space->ballast_reserved());
  ASSERT_EQ(space->volumes_size(), 2);
  EXPECT_GT(space->volumes(0).free_bytes(), 0);

  v1::ReleaseBallastRequest dry;
  dry.set_validate_only(true);
  EXPECT_EQ(Call<v1::ReleaseBallastResponse>("ReleaseBallast", dry)->released_bytes(), kMebibyte);
  EXPECT_TRUE(state_->ballast().reserved());
  EXPECT_EQ(Call<v1::ReleaseBallastResponse>("ReleaseBallast", v1::ReleaseBallastRequest())
                ->released_bytes(),
            kMebibyte);
  EXPECT_THAT(ConditionReasons(), Contains("BALLAST_RELEASED"));
  EXPECT_EQ(Call<v1::ReserveBallastResponse>("ReserveBallast", v1::ReserveBallastRequest())
                ->reserved_bytes(),
            kMebibyte);
  EXPECT_THAT(ConditionReasons(), IsEmpty());
  EXPECT_THAT(Actions(), Contains("release ballast"));
  EXPECT_THAT(Actions(), Contains("reserve ballast"));
}

}  // namespace
}  // namespace sluice
