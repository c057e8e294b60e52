#include "downstream/fix_ways.h"

#include <algorithm>

namespace sluice {
namespace {

bool IsMissingUpstream(v1::FindingClass finding_class) {
  return finding_class == v1::FINDING_CLASS_MISSING_UPSTREAM ||
         finding_class == v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED ||
         finding_class == v1::FINDING_CLASS_MISSING_UPSTREAM_PURGED;
}

bool SynchronisingMends(const v1::Finding& finding, bool kept) {
  switch (finding.finding_class()) {
    case v1::FINDING_CLASS_MISSING_UPSTREAM:
    case v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED:
    case v1::FINDING_CLASS_MISSING_UPSTREAM_PURGED:
      return !kept;
    case v1::FINDING_CLASS_APPROVAL_INACTIVE:
    case v1::FINDING_CLASS_DANGLING:
    case v1::FINDING_CLASS_VERSION_HIDDEN:
      return false;
    default:
      return true;
  }
}

bool Mends(v1::FixKind kind, const v1::Finding& finding, bool kept) {
  const v1::FindingClass finding_class = finding.finding_class();
  const bool update = finding.kind() == v1::RECORD_KIND_REVISION;
  switch (kind) {
    case v1::FIX_KIND_FETCH:
      return SynchronisingMends(finding, kept);
    case v1::FIX_KIND_WIDEN:
      return update && kept && finding_class == v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED;
    case v1::FIX_KIND_PIN:
      return (update && kept && finding_class == v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED) ||
             finding_class == v1::FINDING_CLASS_DANGLING;
    case v1::FIX_KIND_RETURN:
      return kept;
    case v1::FIX_KIND_DECLINE:
    case v1::FIX_KIND_SUPPRESS:
      return update && IsMissingUpstream(finding_class);
    default:
      return false;
  }
}

}  // namespace

v1::FixKind WayFor(const v1::Finding& finding, bool kept, const std::vector<v1::FixKind>& allowed) {
  const auto way = std::find_if(allowed.begin(), allowed.end(),
                                [&](v1::FixKind kind) { return Mends(kind, finding, kept); });
  return way == allowed.end() ? v1::FIX_KIND_UNSPECIFIED : *way;
}

}  // namespace sluice
