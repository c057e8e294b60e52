// Seq times: by when the changes of this node's log had been made.
//
// Records hold no times, so that a rebuilt origin arrives at the same digests. Who asks for how
// long a record has not changed looks up its seq here: from time to time it is noted how far the
// log had come. The answer errs on the young side, by at most the time between two notes.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/catalog.h"

namespace sluice {

// Puts a note that all that `reader` sees was there at `now`; none, when the last one is younger
// than six hours.
absl::Status NoteSeqTime(const CatalogReader& reader, absl::Time now, CatalogChange& change);

class SeqTimes {
 public:
  static absl::StatusOr<SeqTimes> Read(const CatalogReader& reader);

  // When the change `seq` had been made at the latest; in the infinite future when nothing is noted
  // since.
  absl::Time MadeBy(uint64_t seq) const;

 private:
  struct Note {
    uint64_t seq = 0;
    absl::Time at;
  };
  std::vector<Note> notes_;  // By seq.
};

}  // namespace sluice
