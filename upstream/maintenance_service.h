// Maintenance service: sluice.v1.MaintenanceService: care for the content, the audit, conditions
// and counters.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/router.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/content_store.h"
#include "upstream/audit.h"

namespace sluice {

class MaintenanceService {
 public:
  struct Options {
    // Has a file that was set aside got again, if it is wanted. Returns whether it is.
    std::function<bool(const Digest&)> refetch;
    // Standing problems.
    std::function<std::vector<v1::Condition>()> conditions;
  };

  MaintenanceService(ContentStore& content, Audit& audit, Options options);

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

 private:
  class VerifySource;

  ContentStore& content_;
  Audit& audit_;
  const Options options_;
};

}  // namespace sluice
