// Parity peer: what a check asks of the node above. Calls block; failures carry the link's reasons.
#pragma once

#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "common/digest.h"
#include "sluice/v1/replication_service.pb.h"

namespace sluice {

class ParityPeer {
 public:
  virtual ~ParityPeer() = default;

  virtual absl::StatusOr<v1::HelloResponse> Hello() = 0;

  // All shards in this node's selection.
  virtual absl::StatusOr<v1::ReconcileSums> Sums() = 0;

  // The next request in the exchange that `Sums` began, and the next answer.
  virtual absl::Status Send(const v1::ReconcileRequest& request) = 0;
  virtual absl::StatusOr<v1::ReconcileResponse> Receive() = 0;

  // At most 512 keys.
  virtual absl::StatusOr<v1::GetRecordsResponse> GetRecords(
      const v1::GetRecordsRequest& request) = 0;

  // Which of these files are not there; at most 1,024.
  virtual absl::StatusOr<std::set<Digest>> FindMissing(const std::vector<Digest>& files) = 0;
};

}  // namespace sluice
