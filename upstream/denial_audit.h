// Denial audit: who was refused what, one entry for each caller and method a minute, so that
// nobody fills the disk by asking for what it may not have.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/rpc/call_context.h"
#include "storage/catalog.h"
#include "upstream/audit.h"

namespace sluice {

class DenialAudit {
 public:
  DenialAudit(const Audit& audit, Catalog& catalog, Clock& clock, Log& log)
      : audit_(audit), catalog_(catalog), clock_(clock), log_(log) {}

  // Writes the entry before it returns. Within a minute of the last one for the same caller and
  // method it only counts; the next entry, whoever causes it, is accompanied by the count.
  void Note(const CallContext& context, const absl::Status& denial);

 private:
  struct Noted {
    absl::Time at;
    CallContext context;
    int64_t more = 0;  // Since then.
  };

  const Audit& audit_;
  Catalog& catalog_;
  Clock& clock_;
  Log& log_;
  Mutex mutex_;
  // By actor and method.
  std::map<std::pair<std::string, std::string>, Noted> noted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
