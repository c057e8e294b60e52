// Reconcile exchange: one comparison with one child, step by step.
//
// The child gets the fingerprints of all shards in its selection as of one seq, asks for the keys
// of those that differ, reads what it lacks elsewhere, and tails from that seq; so whatever changes
// during the comparison reaches it all the same.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class ReconcileExchange {
 public:
  explicit ReconcileExchange(const Catalog& catalog) : catalog_(&catalog) {}

  // The answers to one step, in order.
  //
  // Errors:
  //   INVALID_ARGUMENT     a malformed id, or more than 1,024 shards.
  //   FAILED_PRECONDITION  keys are asked for before the exchange is opened.
  absl::StatusOr<std::vector<v1::ReconcileResponse>> Handle(const v1::ReconcileRequest& request);

 private:
  absl::StatusOr<std::vector<v1::ReconcileResponse>> Open(const v1::ReconcileOpen& open);
  absl::Status AppendKeys(const CatalogReader& reader, const ShardId& shard,
                          std::vector<v1::ReconcileResponse>& responses) const;

  const Catalog* catalog_;
  bool opened_ = false;
};

}  // namespace sluice
