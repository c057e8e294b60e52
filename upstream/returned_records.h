// Returned records: facts that the root's history lost, as nodes below still have them.
//
// They keep their stamps, so that whatever the root has decided since stays in force, and those
// below recognise what they kept. A stamp is not evidence: one that claims to be of this history,
// or of a later one, would beat everything that the root decides from now on, and is refused.
#pragma once

#include "absl/status/statusor.h"
#include "sluice/v1/petition.pb.h"
#include "storage/catalog.h"

namespace sluice {

struct ReturnedRecords {
  // Two commits: what exists, and then what is decided about it. The second can be repeated.
  CatalogChange first;
  CatalogChange change;
  // Records that are not known here, or only older.
  int64_t taken = 0;
};

// Verifies the records and works out what becomes of them.
//
// Errors: FAILED_PRECONDITION one of them is damaged, or claims a stamp that it cannot have.
absl::StatusOr<ReturnedRecords> PlanReturned(const CatalogReader& reader,
                                             const v1::Petition& petition);

}  // namespace sluice
