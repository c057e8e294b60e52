#include "downstream/report_memory.h"

#include <utility>

#include "common/digest.h"

namespace sluice {
namespace {

// Less than half of the time after which a node counts as silent.
constexpr absl::Duration kToldAgainAfter = absl::Hours(12);

std::string DigestOf(v1::ReportRequest report) {
  report.clear_acknowledgements();
  report.clear_leases();
  if (!report.nodes().empty()) {
    report.mutable_nodes(0)->clear_reported_at();
    report.mutable_nodes(0)->clear_last_success();
  }
  return Digest::Of(report.SerializeAsString()).bytes();
}

}  // namespace

bool ReportMemory::Knows(const v1::ReportRequest& report, absl::Time now) const {
  return !told_.empty() && now - sent_at_ < kToldAgainAfter && told_ == DigestOf(report);
}

void ReportMemory::Sending(const v1::ReportRequest& report, absl::Time now) {
  told_.clear();
  sending_ = DigestOf(report);
  sent_at_ = now;
}

void ReportMemory::Answered(bool heard) {
  if (heard) told_ = std::move(sending_);
  sending_.clear();
}

}  // namespace sluice
