// Site service: sluice.v1.SiteService: what this node holds back from its clients and from all
// nodes below.
//
// Every node is the origin of its own notices. There is one about an update at most, and the last
// word counts: what was suppressed and is now held is offered when that time has come.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/rpc/router.h"
#include "sluice/v1/site_service.pb.h"
#include "storage/catalog.h"
#include "upstream/audit.h"

namespace sluice {

class SiteService {
 public:
  // `node_name`: this node's label.
  SiteService(Catalog& catalog, Audit& audit, Clock& clock, std::string node_name)
      : catalog_(catalog), audit_(audit), clock_(clock), node_name_(std::move(node_name)) {}

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  absl::StatusOr<v1::HoldUpdatesResponse> Hold(const CallContext& context,
                                               const v1::HoldUpdatesRequest& request);
  absl::StatusOr<v1::SuppressUpdatesResponse> Suppress(const CallContext& context,
                                                       const v1::SuppressUpdatesRequest& request);
  absl::StatusOr<v1::ReleaseUpdatesResponse> Release(const CallContext& context,
                                                     const v1::ReleaseUpdatesRequest& request);
  absl::StatusOr<v1::ListNoticesResponse> List(const v1::ListNoticesRequest& request) const;

 private:
  using Results = google::protobuf::RepeatedPtrField<v1::NoticeResult>;
  // What is wanted for each update: `notice` without ids, none to release it.
  struct Wish {
    std::string action;
    std::string comment;
    std::optional<v1::SiteNotice> notice;
    bool validate_only = false;
  };

  absl::StatusOr<Results> Change(const CallContext& context,
                                 const google::protobuf::RepeatedPtrField<std::string>& update_ids,
                                 const Wish& wish);
  absl::Status ChangeOne(const CallContext& context, const CatalogReader& reader, const Wish& wish,
                         v1::NoticeResult& result, CatalogChange& change) const;

  Catalog& catalog_;
  Audit& audit_;
  Clock& clock_;
  const std::string node_name_;
};

}  // namespace sluice
