// Backup service: backups of this node's store, of sluice.v1.MaintenanceService.
//
// Copying and verifying take longer than a call may hold a worker, so they run on a thread of their
// own, one at a time; a stream only tells how far they are.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/rpc/router.h"
#include "common/worker_pool.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/backup_directory.h"
#include "storage/state_directory.h"
#include "upstream/audit.h"

namespace sluice {

class BackupService {
 public:
  struct Options {
    std::string backup_dir;  // Empty: there are no backups.
    std::string node_name;
  };

  // References must outlive the service.
  BackupService(StateDirectory& state, Audit& audit, Options options);
  // Breaks off what is under way.
  ~BackupService();

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

 private:
  class Job;
  template <typename Response>
  class JobSource;
  using Work = std::function<absl::StatusOr<StoredBackup>(const BackupDirectory::Progress&)>;

  absl::StatusOr<std::unique_ptr<MessageSource>> Create(const CallContext& context,
                                                        const v1::CreateBackupRequest& request);
  absl::StatusOr<v1::ListBackupsResponse> List(const v1::ListBackupsRequest& request) const;
  absl::StatusOr<v1::DeleteBackupResponse> Delete(const CallContext& context,
                                                  const v1::DeleteBackupRequest& request);

  // Errors: FAILED_PRECONDITION none is configured.
  absl::Status CheckConfigured() const;
  // What a new backup says about itself.
  absl::StatusOr<stored::v1::BackupNote> Note() const;
  absl::Status DeleteOldest(int keep);
  absl::Status WriteAudit(const CallContext& context, absl::string_view action,
                          const std::string& subject, const std::string& detail);

  // Begins `work`. Errors: UNAVAILABLE another job is under way.
  absl::StatusOr<std::shared_ptr<Job>> Begin(Work work);

  StateDirectory& state_;
  Audit& audit_;
  const Options options_;
  BackupDirectory backups_;
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  // Last, so that it ends first.
  std::unique_ptr<WorkerPool> worker_;
};

}  // namespace sluice
