// Sync service: sluice.v1.SyncService of a node that follows another.
#pragma once

#include "absl/status/statusor.h"
#include "common/rpc/router.h"
#include "downstream/sync_driver.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class SyncService {
 public:
  SyncService(SyncDriver& driver, Catalog& catalog) : driver_(driver), catalog_(catalog) {}

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  absl::StatusOr<v1::StartSyncResponse> StartSync(const v1::StartSyncRequest& request);
  absl::StatusOr<v1::CancelSyncResponse> CancelSync();
  absl::StatusOr<v1::GetScheduleResponse> GetSchedule() const;

 private:
  SyncDriver& driver_;
  Catalog& catalog_;
};

}  // namespace sluice
