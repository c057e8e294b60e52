// Closure: the updates that a node has to pick one by one: its pins, and what these and the
// selection need as bundle members and prerequisites but the selection does not take.
//
// It follows from nothing but the pins and the records here, never from what was picked before, so
// that every way to the same records ends with the same picks. It is brought up to date from the
// change log: only updates about which something changed are looked at again.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/uuid.h"
#include "storage/catalog.h"
#include "storage/picked_records.h"
#include "storage/selection.h"

namespace sluice {

class Closure {
 public:
  // Brings it up to what `reader` has. `selection`: its shards count, not its picks. Sorted `pins`.
  // Errors: DATA_LOSS damaged rows.
  absl::Status Update(const CatalogReader& reader, const Selection& selection,
                      const std::vector<Uuid>& pins);

  // Sorted.
  const std::vector<Uuid>& picks() const { return picks_; }
  // There would be more than `kPicksMax`; the rest is left out.
  bool cut_off() const { return cut_off_; }

 private:
  // The state that it was brought up to.
  struct Place {
    std::string epoch_id;
    Digest shards_hash;
    uint64_t seq = 0;
  };
  // What the log says since then.
  struct Touched {
    std::set<Uuid> updates;
    bool some_left = false;
    bool too_many = false;
  };

  absl::StatusOr<Touched> ReadTouched(const CatalogReader& reader) const;
  absl::Status LookAtAll(const CatalogReader& reader, WholeShards& whole);
  // Whether anything changed for the picks.
  absl::StatusOr<bool> Look(const CatalogReader& reader, WholeShards& whole,
                            const Touched& touched);
  absl::Status Walk(const CatalogReader& reader, WholeShards& whole);

  std::optional<Place> place_;
  std::set<Uuid> boundary_;  // Needed by what comes with its shard, and not coming so itself.
  std::vector<Uuid> pins_;
  std::vector<Uuid> picks_;
  bool cut_off_ = false;
};

// The picks of a node with these pins that takes `selection` of what `reader` has.
absl::StatusOr<std::vector<Uuid>> PicksFor(const CatalogReader& reader, const Selection& selection,
                                           const std::vector<Uuid>& pins);

}  // namespace sluice
