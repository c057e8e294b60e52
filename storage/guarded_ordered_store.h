// Guarded ordered store: an ordered store that refuses writes before its volume is full. Reading
// goes on.
#pragma once

#include <memory>
#include <utility>

#include "storage/ordered_store.h"
#include "storage/space_guard.h"

namespace sluice {

class GuardedOrderedStore : public OrderedStore {
 public:
  // `inner` must outlive this.
  GuardedOrderedStore(OrderedStore& inner, SpaceGuard guard)
      : inner_(inner), guard_(std::move(guard)) {}

  std::shared_ptr<const OrderedView> View() const override { return inner_.View(); }

  absl::Status Write(const WriteSet& changes) override {
    int64_t bytes = 0;
    for (const WriteSet::Change& change : changes.changes()) {
      if (change.value.has_value()) bytes += static_cast<int64_t>(change.value->size());
    }
    const absl::Status room = guard_.Check(v1::REASON_STORE_NO_SPACE, bytes);
    return room.ok() ? inner_.Write(changes) : room;
  }

 private:
  OrderedStore& inner_;
  const SpaceGuard guard_;
};

}  // namespace sluice
