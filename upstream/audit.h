// Audit: who decided what at this node, one entry a change, in the same commit as the change
// itself.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/rpc/call_context.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class Audit {
 public:
  Audit(Catalog& catalog, Clock& clock);

  // Adds an entry to `change`. `subject` is what it is done to, `detail` what else matters.
  void Add(const CallContext& context, absl::string_view action, absl::string_view subject,
           absl::string_view detail, CatalogChange& change) const;

  // Newest first.
  absl::StatusOr<v1::ListAuditEntriesResponse> List(
      const v1::ListAuditEntriesRequest& request) const;

  // Whether anything was changed behind its back.
  absl::StatusOr<v1::VerifyAuditResponse> Verify() const;

 private:
  Catalog& catalog_;
  Clock& clock_;
};

// How the audit names a caller, as in "spiffe://contoso.example/user/ann (approver)" or
// "local:127.0.0.1:8530, unverified (administrator, viewer)".
std::string ActorOf(const CallContext& context);

}  // namespace sluice
