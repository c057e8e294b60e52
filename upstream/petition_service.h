// Petition service: sluice.v1.PetitionService of every node, for its operator; and
// ReplicationService.SubmitPetition, for the nodes below.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/router.h"
#include "sluice/v1/petition_service.pb.h"
#include "storage/catalog.h"
#include "upstream/audit.h"
#include "upstream/petition_desk.h"

namespace sluice {

class PetitionService {
 public:
  // `on_subscription` is called when a grant changed this node's subscription; empty at the root.
  // References must outlive the service.
  PetitionService(Catalog& catalog, PetitionDesk& desk, Audit& audit,
                  std::function<void()> on_subscription);

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  // What is the case already is granted at once.
  absl::StatusOr<v1::SubmitPetitionResponse> Submit(const v1::SubmitPetitionRequest& request);
  absl::StatusOr<v1::ListPetitionsResponse> List(const v1::ListPetitionsRequest& request) const;
  absl::StatusOr<v1::GrantPetitionResponse> Grant(const CallContext& context,
                                                  const v1::GrantPetitionRequest& request);
  absl::StatusOr<v1::RefusePetitionResponse> Refuse(const CallContext& context,
                                                    const v1::RefusePetitionRequest& request);

 private:
  Catalog& catalog_;
  PetitionDesk& desk_;
  Audit& audit_;
  const std::function<void()> on_subscription_;
};

}  // namespace sluice
