// Category ids: from the name of a product, classification or group to its UUID.
//
// The ids are UUIDv5 of the names in one fixed namespace. So two servers that import the same facts
// arrive at the same ids, and an operator can name a product before it exists.
#pragma once

#include "absl/strings/string_view.h"
#include "common/uuid.h"

namespace sluice {

// The namespace of every id that Sluice derives. Never changed: it is part of every digest.
Uuid IdNamespace();

// The id of a vendor, product family or product with this full path, as in
// "Debian/12/bookworm-security".
Uuid ProductIdOfPath(absl::string_view path);

// The id of a classification, as in "Security Updates".
Uuid ClassificationIdOfName(absl::string_view name);

// The id of a target group made under this name.
Uuid GroupIdOfName(absl::string_view name);

// The built-in group that holds every machine.
inline constexpr absl::string_view kAllComputersGroup = "All Computers";

}  // namespace sluice
