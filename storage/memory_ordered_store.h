// Memory ordered store: an ordered store without a medium, for tests and the simulator.
//
// A view is a copy of the state that shares everything with it until one of the two changes. A copy
// of the store is what a backup is to a disk: the simulator restores one to take a node back in
// time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "storage/ordered_store.h"

namespace sluice {

class MemoryOrderedStore : public OrderedStore {
 public:
  MemoryOrderedStore();

  std::shared_ptr<const OrderedView> View() const override;
  absl::Status Write(const WriteSet& changes) override;
  // Its commit counts as one write.
  absl::StatusOr<std::unique_ptr<SortedIngest>> BeginIngest() override;

  // From the `count`-th write from now on (1: the next) every write fails and changes nothing, as
  // if the process had been killed before it. Zero: none fails any more.
  void FailWritesFrom(int64_t count);
  // Whether a write failed since `FailWritesFrom` was last called.
  bool write_failed() const;

  // Everything that is stored, as something that can be put back later.
  std::shared_ptr<const OrderedView> Backup() const { return View(); }
  void Restore(const std::shared_ptr<const OrderedView>& backup);

 private:
  using Rows = std::map<std::string, std::string>;
  using Families = std::array<std::shared_ptr<Rows>, kFamilyCount>;
  class MemoryView;
  class MemoryIngest;

  mutable Mutex mutex_;
  Families families_ ABSL_GUARDED_BY(mutex_);
  int64_t writes_until_failure_ ABSL_GUARDED_BY(mutex_) = 0;
  bool write_failed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sluice
