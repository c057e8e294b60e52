// File release: frees stored files that no record names any more.
//
// The commit that removes records notes the files that they named; afterwards those are freed that
// nothing else names. A process that ends in between leaves the notes, and the next release goes on
// from them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

// Notes a file that a record named which is removed in the same change.
void NoteForRelease(const Digest& file, CatalogChange& change);
// The key of that note. Family::kSettings.
std::string ReleaseNoteKey(absl::string_view file);

struct Released {
  int64_t files = 0;
  int64_t bytes = 0;
  std::vector<Digest> freed;  // Whether they were stored or not.
};

// Frees all that is noted and not named, with what is known of where it can be had. Nobody can
// commit a record while it is decided about its files, so whoever names a stored file must look,
// in `Catalog::CommitMade`, whether it is still there.
absl::StatusOr<Released> ReleaseNoted(Catalog& catalog, ContentStore& content);

}  // namespace sluice
