// Selection sums: the fingerprints of selections, brought up to date by what the commits since have
// done to shards instead of by reading all shards, of which there can be 20,000. Thread-safe.
#pragma once

#include <cstdint>
#include <list>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "storage/catalog.h"
#include "storage/fingerprint.h"
#include "storage/selection.h"

namespace sluice {

class SelectionSums {
 public:
  // `catalog` must outlive the sums.
  explicit SelectionSums(const Catalog& catalog) : catalog_(catalog) {}

  // What SelectionFingerprint says for a state that `reader`, of the same catalog, sees. Looks at
  // every pick.
  absl::StatusOr<Fingerprint> Of(const CatalogReader& reader, const Selection& selection,
                                 const Uuid& excluded) const;
  // The same for ShardsFingerprint.
  absl::StatusOr<Fingerprint> OfShards(const CatalogReader& reader, const Selection& selection,
                                       const Uuid& excluded) const;

 private:
  // Selections that are kept; the least lately asked for goes first.
  static constexpr size_t kEntriesMax = 256;

  struct Entry {
    Digest selection;
    Uuid excluded;
    uint64_t seq = 0;
    Fingerprint fingerprint;
  };

  const Catalog& catalog_;
  mutable Mutex mutex_;
  mutable std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // Lately asked for first.
};

}  // namespace sluice
