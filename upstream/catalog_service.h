// Catalog service: sluice.v1.CatalogService, but for publishing (upstream/publish.h).
#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/rpc/router.h"
#include "sluice/v1/catalog_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

class CatalogService {
 public:
  CatalogService(Catalog& catalog, ContentStore& content, Clock& clock)
      : catalog_(catalog), content_(content), clock_(clock) {}

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  absl::StatusOr<v1::ListUpdatesResponse> ListUpdates(const v1::ListUpdatesRequest& request) const;
  absl::StatusOr<v1::GetUpdateResponse> GetUpdate(const v1::GetUpdateRequest& request) const;
  absl::StatusOr<v1::ListCategoriesResponse> ListCategories(
      const v1::ListCategoriesRequest& request) const;

 private:
  Catalog& catalog_;
  ContentStore& content_;
  Clock& clock_;
};

}  // namespace sluice
