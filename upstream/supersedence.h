// Supersedence: which updates an approved one replaces, read from the records.
//
// Sources that know it say it in the revision (`supersedes`). For Debian's packages it follows from
// the order of versions of one source package in one release, and nothing is stored.
#pragma once

#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "sluice/v1/record.pb.h"
#include "storage/catalog.h"

namespace sluice {

// What tells a Debian source package apart over its versions; empty for updates of other kinds.
std::string DebianSourceOf(const v1::Revision& revision);

// The updates that those in `approved` replace, each with one that does. Costs the bodies of the
// approved ones, and where Debian's packages are among them a walk over all headers.
absl::StatusOr<std::map<Uuid, Uuid>> SupersededBy(const CatalogReader& reader,
                                                  const std::set<Uuid>& approved);

}  // namespace sluice
