// Promotion: a node that followed another becomes the origin of what it holds.
//
// Its records keep their stamps, so nodes below find nothing changed; what is decided from now on
// has stamps of this node's new epoch, and those are newer.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "storage/catalog.h"

namespace sluice {

struct Promotion {
  int64_t records = 0;  // That were kept from lost histories, and are this node's own now.
};

// Whether the node still knows of an upstream, or keeps what that lacks.
bool FollowsAnother(const CatalogReader& reader);

// Makes kept records the node's own, and forgets the upstream: its cursor, what was missing there,
// the sessions with it and their findings, what nodes above held back, and the subscription.
// Repeating it is harmless.
absl::StatusOr<Promotion> TakeOver(Catalog& catalog);

}  // namespace sluice
