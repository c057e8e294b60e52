// Publish: an in-house update with its files, uploaded over the wire. Nothing is visible before all
// of it is stored and verified.
#pragma once

#include "common/rpc/router.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "upstream/audit.h"

namespace sluice {

class Publisher {
 public:
  Publisher(Catalog& catalog, ContentStore& content, Audit& audit)
      : catalog_(catalog), content_(content), audit_(audit) {}

  // Adds sluice.v1.CatalogService/PublishUpdate; this object must outlive all calls.
  void AddTo(Router& router);

 private:
  class Upload;

  Catalog& catalog_;
  ContentStore& content_;
  Audit& audit_;
};

}  // namespace sluice
