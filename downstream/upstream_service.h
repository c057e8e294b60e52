// Upstream service: sluice.v1.UpstreamService of a node that follows another.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/router.h"
#include "downstream/sync_driver.h"
#include "downstream/upstream_links.h"
#include "sluice/v1/upstream_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

class UpstreamService {
 public:
  struct Options {
    std::vector<v1::UpstreamStatus> configured;
    absl::Duration timeout = absl::Seconds(30);
    // An adoption that removes more than this share asks first.
    int guard_percent = 20;
    // Adds an entry to the audit: who, what was done, to what, and what else matters.
    std::function<void(const CallContext&, absl::string_view, absl::string_view, absl::string_view,
                       CatalogChange&)>
        audit;
    // How the audit names a caller.
    std::function<std::string(const CallContext&)> name_of;
  };

  // All references must outlive this object.
  UpstreamService(Catalog& catalog, ContentStore& content, UpstreamLinks& links, SyncDriver& driver,
                  Options options);

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

 private:
  absl::StatusOr<v1::ListUpstreamsResponse> List() const;
  absl::StatusOr<v1::SetUpstreamsResponse> Set(const CallContext& context,
                                               const v1::SetUpstreamsRequest& request);
  absl::StatusOr<v1::AdoptUpstreamResponse> Adopt(const CallContext& context,
                                                  const v1::AdoptUpstreamRequest& request);
  // The list that a request asks for. Errors: INVALID_ARGUMENT with field violations.
  absl::StatusOr<std::vector<v1::UpstreamStatus>> Wanted(
      const CallContext& context, const v1::SetUpstreamsRequest& request) const;
  // What following it would mean, or why it cannot be followed.
  absl::StatusOr<v1::UpstreamPreview> Preview(Channel& channel) const;
  void Complete(const CatalogReader& reader, v1::UpstreamStatus& upstream) const;

  Catalog& catalog_;
  ContentStore& content_;
  UpstreamLinks& links_;
  SyncDriver& driver_;
  const Options options_;
};

}  // namespace sluice
