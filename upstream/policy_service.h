// Policy service: sluice.v1.PolicyService. Who may decide here is decided by who wires it: one
// writer per stream.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/router.h"
#include "sluice/v1/policy_service.pb.h"
#include "storage/catalog.h"
#include "upstream/audit.h"
#include "upstream/decision_maker.h"
#include "upstream/selection_preview.h"

namespace sluice {

class PolicyService {
 public:
  struct Options {
    // Set at the origin of decisions; null elsewhere.
    DecisionMaker* decisions = nullptr;
    // Where a node that follows another turns those to who want to decide, as in "hq
    // (127.0.0.1:8530)".
    std::string upstream_target;
    // Called after the subscription changed. Empty at the root, which has none.
    std::function<void()> on_subscription;
    // What tells what a subscription would change. Not at the root.
    PreviewSources preview;
  };

  PolicyService(Catalog& catalog, Audit& audit, Options options);

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  absl::StatusOr<v1::ListGroupsResponse> ListGroups(const v1::ListGroupsRequest& request) const;
  absl::StatusOr<v1::GetSubscriptionResponse> GetSubscription() const;
  absl::StatusOr<v1::SetSubscriptionResponse> SetSubscription(
      const CallContext& context, const v1::SetSubscriptionRequest& request);
  absl::StatusOr<v1::PinUpdatesResponse> Pin(const CallContext& context,
                                             const v1::PinUpdatesRequest& request);

 private:
  // Errors: FAILED_PRECONDITION NO_UPSTREAM.
  absl::Status CheckFollows() const;
  // The one who decides here. Errors: FAILED_PRECONDITION NOT_ORIGIN.
  absl::StatusOr<DecisionMaker*> Origin() const;

  Catalog& catalog_;
  Audit& audit_;
  const Options options_;
};

}  // namespace sluice
