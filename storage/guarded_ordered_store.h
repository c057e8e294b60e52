// Guarded ordered store: an ordered store that refuses writes before its volume is full, and a
// little later while its ballast is released. Reading goes on.
#pragma once

#include <memory>
#include <string>
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
    const absl::Status room = Check(bytes);
    return room.ok() ? inner_.Write(changes) : room;
  }

  absl::StatusOr<std::unique_ptr<SortedIngest>> BeginIngest() override {
    if (absl::Status room = Check(kIngestStepBytes); !room.ok()) return room;
    absl::StatusOr<std::unique_ptr<SortedIngest>> ingest = inner_.BeginIngest();
    if (!ingest.ok()) return ingest;
    return std::make_unique<GuardedIngest>(*this, *std::move(ingest));
  }

 private:
  // The volume is asked again each time that so much was written.
  static constexpr int64_t kIngestStepBytes = int64_t{16} << 20;

  class GuardedIngest : public SortedIngest {
   public:
    GuardedIngest(const GuardedOrderedStore& store, std::unique_ptr<SortedIngest> inner)
        : store_(store), inner_(std::move(inner)) {}

    absl::Status Put(Family family, absl::string_view key, absl::string_view value) override {
      since_asked_ += static_cast<int64_t>(key.size() + value.size());
      if (since_asked_ > kIngestStepBytes) {
        since_asked_ = 0;
        if (absl::Status room = store_.Check(kIngestStepBytes); !room.ok()) return room;
      }
      return inner_->Put(family, key, value);
    }
    absl::Status Commit() override {
      const absl::Status room = store_.Check(0);
      return room.ok() ? inner_->Commit() : room;
    }
    std::string ScratchDirectory() const override { return inner_->ScratchDirectory(); }

   private:
    const GuardedOrderedStore& store_;
    const std::unique_ptr<SortedIngest> inner_;
    int64_t since_asked_ = 0;
  };

  absl::Status Check(int64_t bytes) const {
    const SpaceGuard& guard = ballast_.released() ? last_ : guard_;
    return guard.Check(v1::REASON_STORE_NO_SPACE, bytes);
  }

  OrderedStore& inner_;
  const SpaceGuard guard_;
  const SpaceGuard last_;
  const Ballast& ballast_;
};

}  // namespace sluice
