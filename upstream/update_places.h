// Update places: how far one update has come at this node and at every node below it: what `Where`
// lists and `Explain` goes by. Reads the catalog and what nodes reported; changes nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/uuid.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/update_explanation.h"

namespace sluice {

class UpdatePlaces {
 public:
  // `nodes`: this node and those below it, each parent before its children (`WalkTree`).
  // `present`: whether this node holds a file.
  //
  // Errors:
  //   NOT_FOUND ITEM_NOT_FOUND  neither here nor known to have been spoken of below.
  static absl::StatusOr<UpdatePlaces> Make(const CatalogReader& reader, const Uuid& update_id,
                                           std::vector<v1::TreeNode> nodes,
                                           const std::function<bool(const ContentInfo&)>& present,
                                           absl::Time now);

  // Empty while the update is not here.
  const std::string& title() const { return title_; }

  size_t size() const { return nodes_.size(); }
  v1::UpdatePlace PlaceAt(size_t index) const;

  // The way down to the node of that id or name, empty: to this node.
  //
  // Errors:
  //   NOT_FOUND         no such node.
  //   INVALID_ARGUMENT  several nodes have that name.
  absl::StatusOr<v1::ExplainResponse> Explain(absl::string_view node) const;

 private:
  std::string title_;
  std::vector<v1::TreeNode> nodes_;
  std::vector<PlaceFacts> facts_;  // As many.
};

}  // namespace sluice
