// Importer: brings the catalog to what a source offers, writing only what changed.
//
// An import is a session like any other: Fetch -> Verify -> Import. Facts are compared by digest;
// an update that the source no longer offers stays, marked as expired.
#pragma once

#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "storage/catalog.h"
#include "storage/session_log.h"
#include "upstream/update_source.h"

namespace sluice {

class Importer {
 public:
  Importer(Catalog& catalog, Clock& clock) : catalog_(catalog), clock_(clock) {}

  // Imports from `source` within the session that `sessions` has begun. The caller ends it with
  // what this returns.
  absl::Status Import(UpdateSource& source, SessionLog& sessions, std::stop_token stop);

 private:
  absl::Status Write(UpdateSource& source, const SourceCatalog& offered, SessionLog& sessions,
                     std::stop_token stop);
  absl::Status WriteFacts(const SourceCatalog& offered, SessionLog& sessions, std::stop_token stop);
  absl::Status WriteOrigins(const SourceCatalog& offered);
  // Marks what vanished from all sources as expired, and takes the mark off what came back.
  absl::Status WriteExpiries(const UpdateSource& source, const SourceCatalog& offered,
                             const std::set<std::string>& before, SessionLog& sessions);
  absl::Status Commit(CatalogChange& change, SessionLog& sessions);

  Catalog& catalog_;
  Clock& clock_;
};

}  // namespace sluice
