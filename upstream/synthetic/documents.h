// Documents: the made-up catalog for correctness. Sizes as a large catalog of operating system
// updates was measured to have them (half of all below 0.6 KB, one in a hundred over 0.4 MB, a few
// of tens of MB), and every kind of reference.
//
// Updates come in blocks of a hundred: foundations that others require, two chains' worth of
// cumulative updates that supersede each other, plain ones, leaves, and a bundle of these leaves;
// each eighth bundle also holds the seven before it. A reference names an update of a lower index,
// so all resolve and none goes in a circle.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/v1/record.pb.h"
#include "upstream/synthetic/content.h"

namespace sluice::synthetic {

// The update with this index, of any number of them.
//
// Metadata of more than 1 MiB does not fit into a record; it is the content of a file "rules.xml",
// as the files of leaves are content.
v1::Revision DocumentUpdate(uint64_t seed, uint64_t index);

// The file of the update that has bytes, if it has one.
std::optional<Content> ContentOfDocument(uint64_t seed, uint64_t index);

}  // namespace sluice::synthetic
