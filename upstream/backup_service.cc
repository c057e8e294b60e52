#include "upstream/backup_service.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/release.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "upstream/page.h"

namespace sluice {
namespace {

constexpr absl::Duration kProgressInterval = absl::Seconds(1);

v1::Backup ToProto(const StoredBackup& stored) {
  v1::Backup backup;
  backup.set_backup_id(stored.id);
  *backup.mutable_made_at() =
      google::protobuf::util::TimeUtil::SecondsToTimestamp(absl::ToUnixSeconds(stored.made_at));
  backup.set_size_bytes(stored.size_bytes);
  backup.set_head_seq(stored.note.head_seq());
  *backup.mutable_epoch() = stored.note.epoch();
  backup.set_release(stored.note.release());
  return backup;
}

// Says one thing.
class OneMessageSource : public MessageSource {
 public:
  explicit OneMessageSource(const google::protobuf::MessageLite& message)
      : pull_(Pull::Message(message)) {}
  Pull Next() override { return std::exchange(pull_, Pull::End()); }

 private:
  Pull pull_;
};

}  // namespace

// What a thread does and a stream looks at. Shared by both, since either may end first.
class BackupService::Job {
 public:
  explicit Job(int64_t total_bytes) { progress_.set_total_bytes(total_bytes); }

  void Advance(int64_t copied_bytes) {
    MutexLock lock(mutex_);
    progress_.set_copied_bytes(copied_bytes);
  }
  void End(absl::StatusOr<StoredBackup> result) {
    Waker waker;
    {
      MutexLock lock(mutex_);
      result_ = std::move(result);
      waker = waker_;
    }
    if (waker) waker();
  }
  void SetWaker(Waker waker) {
    MutexLock lock(mutex_);
    waker_ = std::move(waker);
  }

  v1::BackupProgress progress() const {
    MutexLock lock(mutex_);
    return progress_;
  }
  // None while it goes on.
  std::optional<absl::StatusOr<StoredBackup>> result() const {
    MutexLock lock(mutex_);
    return result_;
  }

 private:
  mutable Mutex mutex_;
  v1::BackupProgress progress_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::StatusOr<StoredBackup>> result_ ABSL_GUARDED_BY(mutex_);
  Waker waker_ ABSL_GUARDED_BY(mutex_);
};

template <typename Response>
class BackupService::JobSource : public MessageSource {
 public:
  explicit JobSource(std::shared_ptr<Job> job) : job_(std::move(job)) {}

  Pull Next() override {
    if (ended_) return Pull::End();
    Response response;
    if (const auto result = job_->result(); result.has_value()) {
      ended_ = true;
      if (!result->ok()) return Pull::End(result->status());
      *response.mutable_backup() = ToProto(**result);
      return Pull::Message(response);
    }
    const absl::Time now = absl::Now();
    if (now < next_) return Pull::Wait(next_);
    next_ = now + kProgressInterval;
    *response.mutable_progress() = job_->progress();
    return Pull::Message(response);
  }

  void OnWake(Waker waker) override { job_->SetWaker(std::move(waker)); }

 private:
  const std::shared_ptr<Job> job_;
  absl::Time next_ = absl::InfinitePast();
  bool ended_ = false;
};

BackupService::BackupService(StateDirectory& state, Audit& audit, Options options)
    : state_(state),
      audit_(audit),
      options_(std::move(options)),
      backups_(options_.backup_dir),
      worker_(std::make_unique<WorkerPool>(1)) {}

BackupService::~BackupService() {
  stopping_ = true;
  worker_.reset();
}

absl::Status BackupService::CheckConfigured() const {
  if (!options_.backup_dir.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "this node has no place for backups; set node.backup_dir in its configuration");
}

absl::StatusOr<stored::v1::BackupNote> BackupService::Note() const {
  ASSIGN_OR_RETURN(const stored::v1::StoreState now, state_.catalog().Read().State());
  stored::v1::BackupNote note;
  note.set_node_id(now.node_id());
  note.set_node_name(options_.node_name);
  note.set_mode(now.mode());
  *note.mutable_epoch() = now.epoch();
  note.set_head_seq(now.head_seq());
  note.set_release(std::string(Release()));
  return note;
}

absl::Status BackupService::DeleteOldest(int keep) {
  ASSIGN_OR_RETURN(const std::vector<StoredBackup> present, backups_.List());
  for (size_t i = 0; keep > 0 && i + static_cast<size_t>(keep) < present.size(); ++i) {
    RETURN_IF_ERROR(backups_.Delete(present[i].id));
  }
  return absl::OkStatus();
}

absl::Status BackupService::WriteAudit(const CallContext& context, absl::string_view action,
                                       const std::string& subject, const std::string& detail) {
  CatalogChange change;
  audit_.Add(context, action, subject, detail, change);
  return state_.catalog().Commit(change).status();
}

absl::StatusOr<std::shared_ptr<BackupService::Job>> BackupService::Begin(Work work) {
  MutexLock lock(mutex_);
  if (busy_) {
    return absl::UnavailableError("another backup is being made or verified; try again later");
  }
  busy_ = true;
  auto job = std::make_shared<Job>(state_.store().SizeBytes());
  worker_->Submit([this, job, work = std::move(work)] {
    absl::StatusOr<StoredBackup> result = work([this, &job](int64_t copied_bytes) {
      job->Advance(copied_bytes);
      return !stopping_;
    });
    {
      MutexLock done(mutex_);
      busy_ = false;
    }
    job->End(std::move(result));
  });
  return job;
}

absl::StatusOr<std::unique_ptr<MessageSource>> BackupService::Create(
    const CallContext& context, const v1::CreateBackupRequest& request) {
  RETURN_IF_ERROR(CheckConfigured());
  if (request.keep() < 0) return InvalidRequest({{"keep", "is negative"}});
  const SpaceGuard guard(options_.backup_dir, state_.store_space().keep_free_bytes());
  if (request.validate_only()) {
    RETURN_IF_ERROR(guard.Check(v1::REASON_STORE_NO_SPACE, state_.store().SizeBytes()));
    v1::CreateBackupResponse response;
    response.mutable_progress()->set_total_bytes(state_.store().SizeBytes());
    return std::make_unique<OneMessageSource>(response);
  }
  ASSIGN_OR_RETURN(
      std::shared_ptr<Job> job,
      Begin([this, context, guard, keep = request.keep()](
                const BackupDirectory::Progress& progress) -> absl::StatusOr<StoredBackup> {
        ASSIGN_OR_RETURN(const stored::v1::BackupNote note, Note());
        ASSIGN_OR_RETURN(StoredBackup made, backups_.Create(state_.store(), note, guard, progress));
        RETURN_IF_ERROR(Annotate(DeleteOldest(keep), "deleting the oldest backups"));
        RETURN_IF_ERROR(
            WriteAudit(context, "create backup", absl::StrCat(made.id),
                       absl::StrCat("up to seq ", note.head_seq(), " in ", options_.backup_dir)));
        return made;
      }));
  return std::make_unique<JobSource<v1::CreateBackupResponse>>(std::move(job));
}

absl::StatusOr<v1::ListBackupsResponse> BackupService::List(
    const v1::ListBackupsRequest& request) const {
  RETURN_IF_ERROR(CheckConfigured());
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  uint32_t after = 0;
  if (!page.after.empty() && !absl::SimpleAtoi(page.after, &after)) {
    return InvalidRequest({{"page_token", "is none that this node gave out"}});
  }
  ASSIGN_OR_RETURN(const std::vector<StoredBackup> present, backups_.List());
  v1::ListBackupsResponse response;
  for (const StoredBackup& backup : present) {
    if (backup.id <= after) continue;
    if (response.backups_size() == page.size) {
      response.set_next_page_token(
          PageToken(absl::StrCat(response.backups(page.size - 1).backup_id())));
      break;
    }
    *response.add_backups() = ToProto(backup);
  }
  return response;
}

absl::StatusOr<v1::DeleteBackupResponse> BackupService::Delete(
    const CallContext& context, const v1::DeleteBackupRequest& request) {
  RETURN_IF_ERROR(CheckConfigured());
  if (request.backup_id() == 0) return InvalidRequest({{"backup_id", "is missing"}});
  if (request.validate_only()) {
    RETURN_IF_ERROR(backups_.Describe(request.backup_id()).status());
    return v1::DeleteBackupResponse();
  }
  RETURN_IF_ERROR(backups_.Delete(request.backup_id()));
  RETURN_IF_ERROR(
      WriteAudit(context, "delete backup", absl::StrCat(request.backup_id()), options_.backup_dir));
  return v1::DeleteBackupResponse();
}

void BackupService::AddTo(Router& router) {
  router.ServerStream<v1::CreateBackupRequest>(
      "sluice.v1.MaintenanceService/CreateBackup",
      [this](const CallContext& context, const v1::CreateBackupRequest& request) {
        return Create(context, request);
      });
  router.Unary<v1::ListBackupsRequest, v1::ListBackupsResponse>(
      "sluice.v1.MaintenanceService/ListBackups",
      [this](const CallContext&, const v1::ListBackupsRequest& request) { return List(request); });
  router.ServerStream<v1::VerifyBackupRequest>(
      "sluice.v1.MaintenanceService/VerifyBackup",
      [this](const CallContext&, const v1::VerifyBackupRequest& request)
          -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        RETURN_IF_ERROR(CheckConfigured());
        ASSIGN_OR_RETURN(std::shared_ptr<Job> job,
                         Begin([this, id = request.backup_id()](const BackupDirectory::Progress&) {
                           return backups_.Verify(id);
                         }));
        return std::make_unique<JobSource<v1::VerifyBackupResponse>>(std::move(job));
      });
  router.Unary<v1::DeleteBackupRequest, v1::DeleteBackupResponse>(
      "sluice.v1.MaintenanceService/DeleteBackup",
      [this](const CallContext& context, const v1::DeleteBackupRequest& request) {
        return Delete(context, request);
      });
}

}  // namespace sluice
