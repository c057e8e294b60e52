#include "storage/overlay_view.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sluice {

// Merges the base's rows with the layer's; where both have a key, the layer says what holds.
class OverlayView::Cursor : public OrderedCursor {
 public:
  Cursor(std::unique_ptr<OrderedCursor> base, Layer::const_iterator from,
         Layer::const_iterator until)
      : base_(std::move(base)), layer_(from), layer_end_(until) {
    Settle();
  }

  bool Valid() const override { return base_->Valid() || layer_ != layer_end_; }
  void Next() override {
    if (on_layer_) {
      if (base_->Valid() && base_->key() == layer_->first.second) base_->Next();
      ++layer_;
    } else {
      base_->Next();
    }
    Settle();
  }
  absl::string_view key() const override {
    return on_layer_ ? absl::string_view(layer_->first.second) : base_->key();
  }
  absl::string_view value() const override {
    return on_layer_ ? absl::string_view(*layer_->second) : base_->value();
  }
  absl::Status status() const override { return base_->status(); }

 private:
  // Chooses the smaller of the two heads and passes over what the layer deletes.
  void Settle() {
    while (layer_ != layer_end_) {
      on_layer_ = !base_->Valid() || layer_->first.second <= base_->key();
      if (!on_layer_ || layer_->second.has_value()) return;
      if (base_->Valid() && base_->key() == layer_->first.second) base_->Next();
      ++layer_;
    }
    on_layer_ = false;
  }

  std::unique_ptr<OrderedCursor> base_;
  Layer::const_iterator layer_;
  Layer::const_iterator layer_end_;
  bool on_layer_ = false;
};

void OverlayView::Put(Family family, absl::string_view key, absl::string_view value) {
  layer_[{family, std::string(key)}] = std::string(value);
}

void OverlayView::Delete(Family family, absl::string_view key) {
  layer_[{family, std::string(key)}] = std::nullopt;
}

absl::StatusOr<std::string> OverlayView::Get(Family family, absl::string_view key) const {
  const auto found = layer_.find({family, std::string(key)});
  if (found == layer_.end()) return base_->Get(family, key);
  if (found->second.has_value()) return *found->second;
  return absl::NotFoundError(
      absl::StrCat("row ", absl::BytesToHexString(key), " in ", FamilyName(family), " is deleted"));
}

std::unique_ptr<OrderedCursor> OverlayView::Scan(Family family, absl::string_view from,
                                                 absl::string_view until) const {
  const auto end = until.empty()
                       ? layer_.lower_bound({static_cast<Family>(static_cast<int>(family) + 1), ""})
                       : layer_.lower_bound({family, std::string(until)});
  const bool empty = !until.empty() && until <= from;
  const auto begin = empty ? end : layer_.lower_bound({family, std::string(from)});
  return std::make_unique<Cursor>(base_->Scan(family, from, until), begin, end);
}

WriteSet OverlayView::Changes() const {
  WriteSet changes;
  for (const auto& [place, value] : layer_) {
    if (value.has_value()) {
      changes.Put(place.first, place.second, *value);
    } else {
      changes.Delete(place.first, place.second);
    }
  }
  return changes;
}

}  // namespace sluice
