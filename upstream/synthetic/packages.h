// Packages: the made-up catalog for measuring speed. Updates as a distribution of packages has
// them, about 750 bytes each, with files that have digests but no bytes.
#pragma once

#include <cstdint>

#include "sluice/v1/record.pb.h"

namespace sluice::synthetic {

// The update with this index, of any number of them. Twenty in a row are the versions of one
// package.
v1::Revision PackageUpdate(uint64_t seed, uint64_t index);

}  // namespace sluice::synthetic
