// Dependents: which revisions here need an update, as bundle member or prerequisite. Kept in
// Family::kDependents with the records.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/uuid.h"
#include "storage/catalog.h"
#include "storage/record_key.h"

namespace sluice {

// Calls `visit` for each present revision that needs `update_id`, kept ones too, until it returns
// true or an error. Returns whether it did.
absl::StatusOr<bool> AnyDependent(const CatalogReader& reader, const Uuid& update_id,
                                  absl::FunctionRef<absl::StatusOr<bool>(const RecordKey&)> visit);

// Calls `visit` for each update that some revision here needs, in order of ids.
absl::Status ForEachNeeded(const CatalogReader& reader,
                           absl::FunctionRef<absl::Status(const Uuid&)> visit);

// Writes the rows that a store lacks which an earlier release made. Does nothing the next time.
absl::Status EnsureDependentsIndexed(Catalog& catalog);

}  // namespace sluice
