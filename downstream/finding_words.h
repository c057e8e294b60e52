// Finding words: cause and remedy of each class of difference, and which classes no synchronisation
// mends. The one place that says so.
#pragma once

#include "sluice/v1/parity.pb.h"

namespace sluice {

// Gives the finding the reason, cause and remedy of its class, unless it has a cause already.
void Explain(v1::Finding& finding);

// Another class, with its words.
void Reclassify(v1::Finding& finding, v1::FindingClass finding_class);

// Whether a difference of this kind stays however often this node synchronises.
bool IsBeyondSynchronising(const v1::Finding& finding);

// Whether it is the upstream that has to get on first.
bool IsTransient(v1::FindingClass finding_class);

}  // namespace sluice
