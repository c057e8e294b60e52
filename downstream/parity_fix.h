// Parity fix: mends what the last check found, each finding in one of the ways that were asked for.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/call_context.h"
#include "downstream/parity_runner.h"
#include "sluice/v1/parity_service.pb.h"
#include "sluice/v1/petition.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

class ParityFix {
 public:
  using Ids = google::protobuf::RepeatedPtrField<std::string>;

  // What others do; wired by main.cc.
  struct Options {
    std::string upstream_target;
    std::function<void()> start_sync;
    // Has a file fetched again.
    std::function<void(const Digest&)> refetch;
    // Sends a petition up; `change` is committed with it.
    std::function<absl::StatusOr<v1::Petition>(v1::Petition, CatalogChange)> ask;
    // Declines, at the origin of decisions; empty elsewhere.
    std::function<absl::Status(const CallContext&, const v1::FixRequest&, const Ids&)> decline = {};
    // Hides from clients here and below; empty where that cannot be done.
    std::function<absl::Status(const CallContext&, const v1::FixRequest&, const Ids&)> suppress =
        {};
    std::function<void(const CallContext&, absl::string_view action, absl::string_view subject,
                       absl::string_view detail, CatalogChange&)>
        audit;
    std::function<std::string(const CallContext&)> actor;
  };

  // References must outlive the object.
  ParityFix(Catalog& catalog, ContentStore& content, ParityRunner& runner, Options options);

  // Errors:
  //   INVALID_ARGUMENT     an id that is none, an unknown way, too many.
  //   FAILED_PRECONDITION  NOT_ORIGIN declining is for the origin; or there is nobody who
  //   suppresses.
  absl::StatusOr<v1::FixResponse> Fix(const CallContext& context, const v1::FixRequest& request);

 private:
  using Plan = std::map<v1::FixKind, std::vector<v1::Finding>>;

  absl::Status CheckRequest(const v1::FixRequest& request) const;
  absl::StatusOr<Plan> MakePlan(const v1::FixRequest& request, int64_t& left_alone) const;
  absl::Status Carry(const CallContext& context, const v1::FixRequest& request, v1::FixKind kind,
                     const std::vector<v1::Finding>& findings, v1::FixResponse& response);
  absl::Status Fetch(const CallContext& context, const v1::FixRequest& request,
                     const std::vector<v1::Finding>& findings, v1::FixResponse& response);
  absl::Status Send(const CallContext& context, const v1::FixRequest& request, v1::FixKind kind,
                    const std::vector<v1::Finding>& findings, v1::FixResponse& response);
  absl::Status Hide(const CallContext& context, const v1::FixRequest& request, v1::FixKind kind,
                    const std::vector<v1::Finding>& findings, v1::FixResponse& response);
  absl::StatusOr<std::vector<v1::Petition>> MakePetitions(
      v1::FixKind kind, const std::vector<v1::Finding>& findings) const;

  Catalog& catalog_;
  ContentStore& content_;
  ParityRunner& runner_;
  const Options options_;
};

}  // namespace sluice
