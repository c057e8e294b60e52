// Decision maker: turns what an operator wants into decisions and groups, at their origin.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/call_context.h"
#include "sluice/v1/policy_service.pb.h"
#include "storage/catalog.h"
#include "storage/decisions.h"
#include "upstream/audit.h"

namespace sluice {

class DecisionMaker {
 public:
  DecisionMaker(Catalog& catalog, Audit& audit) : catalog_(catalog), audit_(audit) {}

  // Makes the group that holds every machine, if it is not there yet.
  absl::Status CreateBuiltInGroups();

  absl::StatusOr<v1::ApproveUpdatesResponse> Approve(const CallContext& context,
                                                     const v1::ApproveUpdatesRequest& request);
  absl::StatusOr<v1::DeclineUpdatesResponse> Decline(const CallContext& context,
                                                     const v1::DeclineUpdatesRequest& request);
  absl::StatusOr<v1::ClearDecisionsResponse> Clear(const CallContext& context,
                                                   const v1::ClearDecisionsRequest& request);
  absl::StatusOr<v1::CreateGroupResponse> CreateGroup(const CallContext& context,
                                                      const v1::CreateGroupRequest& request);

 private:
  // What to do about one update, given how it stands.
  using Plan = std::vector<v1::Decision>;

  v1::DecisionResult Decide(
      const CallContext& context, absl::string_view action, const std::string& update_id,
      bool validate_only,
      const std::function<absl::StatusOr<Plan>(const UpdateStanding&, v1::DecisionResult&)>& plan);
  absl::StatusOr<bool> Commit(const CallContext& context, absl::string_view action, const Uuid& id,
                              const UpdateStanding& standing, Plan plan, bool validate_only);

  Catalog& catalog_;
  Audit& audit_;
};

// The group of that name or UUID. Errors: NOT_FOUND, naming those that there are.
absl::StatusOr<RecordColumns> FindGroup(const CatalogReader& reader, absl::string_view name_or_id);

// All groups, by id.
absl::StatusOr<std::vector<RecordColumns>> AllGroups(const CatalogReader& reader);

}  // namespace sluice
