// Overlay view: a view with changes laid over it that are not written yet, so that a commit sees
// its own earlier steps.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "storage/ordered_store.h"

namespace sluice {

class OverlayView : public OrderedView {
 public:
  explicit OverlayView(std::shared_ptr<const OrderedView> base) : base_(std::move(base)) {}

  void Put(Family family, absl::string_view key, absl::string_view value);
  void Delete(Family family, absl::string_view key);

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override;
  std::unique_ptr<OrderedCursor> Scan(Family family, absl::string_view from,
                                      absl::string_view until) const override;

  // What must be written to make the base what this view shows.
  WriteSet Changes() const;

 private:
  using Layer = std::map<std::pair<Family, std::string>, std::optional<std::string>>;
  class Cursor;

  std::shared_ptr<const OrderedView> base_;
  Layer layer_;
};

}  // namespace sluice
