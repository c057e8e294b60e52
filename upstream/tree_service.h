// Tree service: sluice.v1.TreeService: this node and those below it, as they last reported.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/rpc/router.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "upstream/update_places.h"

namespace sluice {

class TreeService {
 public:
  struct Options {
    std::string upstream_target;  // Empty at the root.
    std::vector<std::string> listeners;
    // What this node would report of itself.
    std::function<absl::StatusOr<v1::NodeStatus>()> self;
  };

  TreeService(Catalog& catalog, ContentStore& content, Clock& clock, Options options);

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  // The addresses are known once the server listens.
  void SetListeners(std::vector<std::string> listeners);

  absl::StatusOr<v1::ListNodesResponse> ListNodes(const v1::ListNodesRequest& request) const;
  absl::StatusOr<v1::GetNodeResponse> GetNode() const;
  absl::StatusOr<v1::WhereResponse> Where(const v1::WhereRequest& request) const;
  absl::StatusOr<v1::ExplainResponse> Explain(const v1::ExplainRequest& request) const;

 private:
  absl::StatusOr<std::vector<v1::TreeNode>> Nodes(const CatalogReader& reader) const;
  absl::StatusOr<UpdatePlaces> PlacesOf(const std::string& update_id) const;
  absl::StatusOr<v1::TreeNode> Self() const;

  Catalog& catalog_;
  ContentStore& content_;
  Clock& clock_;
  Options options_;
};

}  // namespace sluice
