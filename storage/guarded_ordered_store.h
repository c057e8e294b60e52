// Guarded ordered store: an ordered store that refuses writes before its volume is full, and a
// little later while its ballast is released. Reading goes on.
#pragma once

#include <memory>
#include <utility>

#include "storage/ballast.h"
#include "storage/ordered_store.h"
#include "storage/space_guard.h"

namespace sluice {

class GuardedOrderedStore : public OrderedStore {
 public:
  // `inner` and `ballast` must outlive this. `last` is asked instead of `guard` while the ballast
  // is released.
  GuardedOrderedStore(OrderedStore& inner, SpaceGuard guard, SpaceGuard last,
                      const Ballast& ballast)
      : inner_(inner), guard_(std::move(guard)), last_(std::move(last)), ballast_(ballast) {}

  std::shared_ptr<const OrderedView> View() const override { return inner_.View(); }

  absl::Status Write(const WriteSet& changes) override {
    int64_t bytes = 0;
    for (const WriteSet::Change& change : changes.changes()) {
      if (change.value.has_value()) bytes += static_cast<int64_t>(change.value->size());
    }
    const SpaceGuard& guard = ballast_.released() ? last_ : guard_;
    const absl::Status room = guard.Check(v1::REASON_STORE_NO_SPACE, bytes);
    return room.ok() ? inner_.Write(changes) : room;
  }

 private:
  OrderedStore& inner_;
  const SpaceGuard guard_;
  const SpaceGuard last_;
  const Ballast& ballast_;
};

}  // namespace sluice
