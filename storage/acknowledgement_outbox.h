// Acknowledgement outbox: what of the acknowledgements the upstream has not been told, report by
// report.
//
// A report takes the oldest changes first. After the upstream changed (another node, or another
// history of it), or this node began another history itself, everything is told: a walk over all
// rows beside the changes, whose place is kept, so that a restart goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class AcknowledgementOutbox {
 public:
  explicit AcknowledgementOutbox(Catalog& catalog) : catalog_(catalog) {}

  // Adds up to `kAcknowledgementsPerReport` to a report to `upstream`. `reader`: of the same state
  // as the rest of the report, so that no row is newer than what the report says of its node.
  absl::Status Fill(const CatalogReader& reader, const v1::HelloResponse& upstream,
                    v1::ReportRequest& report);

  // The upstream has stored the last filled report.
  absl::Status Delivered();

  // There was more than the last report could hold.
  bool more() const { return more_; }

 private:
  absl::Status FillChanged(const CatalogReader& reader, v1::ReportRequest& report);
  absl::Status FillAll(const CatalogReader& reader, v1::ReportRequest& report);

  Catalog& catalog_;
  bool more_ = false;
  // Of the last filled report.
  std::string told_;                             // Whom and by whom: node id, epoch, own epoch.
  uint64_t forgotten_ = 0;                       // How often rows had been forgotten.
  std::vector<std::string> entries_;             // Keys of entries that are done with.
  std::vector<v1::UpdateAcknowledgement> over_;  // Rows that go once they are told.
  std::optional<std::string> walked_to_;  // The walk's place before and after; none: no walk.
  bool walk_done_ = false;
};

}  // namespace sluice
