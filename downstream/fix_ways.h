// Fix ways: which ways of mending suit which finding. Pure.
#pragma once

#include <vector>

#include "sluice/v1/parity_service.pb.h"

namespace sluice {

// The way, of those that are allowed, in which a finding can be mended; FIX_KIND_UNSPECIFIED: none.
// `kept`: this node keeps it although its upstream's history lacks it.
v1::FixKind WayFor(const v1::Finding& finding, bool kept, const std::vector<v1::FixKind>& allowed);

}  // namespace sluice
