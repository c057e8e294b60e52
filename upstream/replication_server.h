// Replication server: what a node answers to the nodes below it, over its catalog. Free of
// transport, so that the simulator runs the very same code.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/sip_hash.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/selection_sums.h"
#include "upstream/catalog_load.h"
#include "upstream/change_feed.h"
#include "upstream/reconcile_exchange.h"
#include "upstream/report_board.h"
#include "upstream/shared_messages.h"

namespace sluice {

class ReplicationServer {
 public:
  struct Options {
    std::string node_name;
    // Told of every stored report, so that a node in the middle passes it on.
    std::function<void()> on_report;
    // Adds to the answer to a report of this node. May be empty.
    std::function<absl::Status(const Uuid&, v1::ReportResponse&)> answer_report;
    // For items of comparisons: what nobody can foresee, but in tests.
    std::function<SipKey()> draw_key = SipKey::Random;
    int64_t load_pack_bytes = CatalogLoad::kPackBytes;
  };

  ReplicationServer(Catalog& catalog, Clock& clock, Options options);

  absl::StatusOr<v1::HelloResponse> Hello(const v1::HelloRequest& request);
  absl::StatusOr<ChangeFeed> Changes(const v1::ChangesRequest& request) const;
  absl::StatusOr<CatalogLoad> Load(const v1::LoadRequest& request) const;
  absl::StatusOr<v1::GetRecordsResponse> GetRecords(const v1::GetRecordsRequest& request) const;
  ReconcileExchange Reconcile() const { return ReconcileExchange(catalog_, options_.draw_key); }
  absl::StatusOr<v1::ReportResponse> Report(const v1::ReportRequest& request);

  Catalog& catalog() { return catalog_; }
  ReportBoard& board() { return board_; }

 private:
  absl::Status CheckPlace(const v1::HelloRequest& request, const v1::HelloResponse& response) const;

  // Notes that a known node was here and has all there is, though it says no more than hello.
  absl::Status HearGreeting(const Uuid& child);

  absl::Status SweepNodes();

  Catalog& catalog_;
  Clock& clock_;
  const Options options_;
  std::atomic<int64_t> swept_at_seconds_ = 0;  // Since 1970.
  ReportBoard board_;
  SelectionSums sums_;
  mutable SharedMessages messages_;
};

}  // namespace sluice
