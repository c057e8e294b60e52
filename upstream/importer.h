// Importer: brings the catalog to what a source offers, writing only what changed.
//
// An import is a session like any other: Fetch -> Verify -> Import. Facts are compared by digest;
// an update that the source no longer offers stays, marked as expired. Facts are written as they
// come; of what was written only ids are kept in memory.
#pragma once

#include <stop_token>

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
  Catalog& catalog_;
  Clock& clock_;
};

}  // namespace sluice
