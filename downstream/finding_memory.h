// Finding memory: since when each finding has been there, and whether it will go away by itself.
//
// A finding that is seen for the first time while one of the two nodes is behind says nothing yet;
// one that a synchronisation between two checks did not mend, or that none can mend, is standing.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sluice/v1/parity.pb.h"
#include "storage/catalog.h"

namespace sluice {

struct CheckTimes {
  absl::Time now;
  // Since when a node above has wanted the check. Its clock may be ahead of this node's, and the
  // attempt is then said to be of that time, so that it counts as an answer.
  absl::Time wanted_at = absl::InfinitePast();
};

// Completes the findings of a check that ends now (first and last seen, times seen, standing) and
// its summary, and puts them into `change` in place of those of the check before.
absl::Status Remember(const CatalogReader& reader, const CheckTimes& times,
                      v1::CheckSummary& summary, std::vector<v1::Finding>& findings,
                      CatalogChange& change);

}  // namespace sluice
