// Parity methods: sluice.v1.ParityService of every node. How a node compares itself comes from
// outside; the root has no upstream to compare with, but those below it have.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/rpc/router.h"
#include "sluice/v1/parity_service.pb.h"
#include "storage/catalog.h"
#include "upstream/report_board.h"

namespace sluice {

class ParityMethods {
 public:
  struct Options {
    std::string node_name;
    // Compares this node with its upstream, and returns all messages of the answer. Empty at the
    // root.
    std::function<absl::StatusOr<std::vector<v1::CheckResponse>>(const v1::CheckRequest&)> check;
    // Empty at the root.
    std::function<absl::StatusOr<v1::FixResponse>(const CallContext&, const v1::FixRequest&)> fix;
  };

  // All references must outlive this object.
  ParityMethods(Catalog& catalog, ReportBoard& board, Clock& clock, Options options);

  // Adds the methods; this object must outlive all calls.
  void AddTo(Router& router);

  absl::StatusOr<v1::GetParityResponse> GetParity(const v1::GetParityRequest& request) const;

 private:
  class CheckSource;
  class SubtreeSource;

  absl::StatusOr<v1::GetParityResponse> OwnParity() const;

  Catalog& catalog_;
  ReportBoard& board_;
  Clock& clock_;
  const Options options_;
};

}  // namespace sluice
