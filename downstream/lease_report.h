// Lease report: the leases that this node's reports carry up: its own, and those of nodes below.
//
// A node that decides for itself needs what it approved, and every node what its operators pinned;
// a replica's approvals are known above anyhow. Each lease is sent when it changed, and the own one
// is renewed when half of its time is over.
#pragma once

#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_wants.h"
#include "storage/leases.h"

namespace sluice {

class LeaseReport {
 public:
  LeaseReport(Catalog& catalog, v1::NodeMode mode) : catalog_(catalog), mode_(mode) {}

  // Renews this node's lease if it must be, and adds to `report` what its receiver has not heard.
  absl::Status Fill(const ContentWants& wants, absl::Time now, v1::ReportRequest& report);
  // Whether the report that was last filled was heard.
  void Answered(bool heard);

  // Not all went into the last report.
  bool more() const { return more_; }
  // When the own lease must be renewed even if nothing else is to be reported.
  absl::Time renew_at() const { return renew_at_; }

 private:
  absl::StatusOr<std::set<Uuid>> NeededHere(const CatalogReader& reader,
                                            const ContentWants& wants) const;
  absl::Status Renew(const ContentWants& wants, absl::Time now);

  Catalog& catalog_;
  const v1::NodeMode mode_;
  std::string upstream_id_;                // Who heard.
  std::map<std::string, size_t> heard_;    // By node id: a hash of the lease.
  std::map<std::string, size_t> sending_;  // In the open report.
  bool more_ = false;
  absl::Time renew_at_ = absl::InfiniteFuture();
};

}  // namespace sluice
