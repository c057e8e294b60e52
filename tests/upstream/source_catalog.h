// Source catalog: all that a source offers in one piece, for tests with small sources.
#pragma once

#include <iterator>
#include <string>
#include <utility>

#include "upstream/update_source.h"

namespace sluice {

struct SourceCatalog : SourceFacts, SourceReading {};

// Puts the parts together again.
inline FactSink IntoCatalog(SourceFacts& catalog) {
  const auto append = [](auto from, auto& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  return [&catalog, append](SourceFacts facts) {
    append(std::move(facts.categories), catalog.categories);
    append(std::move(facts.revisions), catalog.revisions);
    append(std::move(facts.files), catalog.files);
    append(std::move(facts.problems), catalog.problems);
    return absl::OkStatus();
  };
}

// Reads all of `source`.
inline absl::StatusOr<SourceCatalog> ReadAll(UpdateSource& source, const std::string& state = "") {
  SourceCatalog catalog;
  absl::StatusOr<SourceReading> reading = source.Read(state, IntoCatalog(catalog), {});
  if (!reading.ok()) return reading.status();
  static_cast<SourceReading&>(catalog) = *std::move(reading);
  return catalog;
}

}  // namespace sluice
