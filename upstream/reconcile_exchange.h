// Reconcile exchange: one comparison with one child, step by step.
//
// The child gets the fingerprints of all shards in its selection as of one seq, asks how those that
// differ do (item_exchange.h) or for their keys, reads what it lacks elsewhere, and tails from that
// seq; so whatever changes during the comparison reaches it all the same.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/picked_records.h"
#include "upstream/item_exchange.h"

namespace sluice {

class ReconcileExchange {
 public:
  // `draw_key`: as ItemExchange.
  ReconcileExchange(const Catalog& catalog, std::function<SipKey()> draw_key)
      : catalog_(&catalog), items_(catalog, std::move(draw_key)) {}

  // The answers to one step, in order.
  //
  // Errors:
  //   INVALID_ARGUMENT     a malformed id, or more than 1,024 shards; and those of ItemExchange.
  //   FAILED_PRECONDITION  something is asked for before the exchange is opened.
  absl::StatusOr<std::vector<v1::ReconcileResponse>> Handle(const v1::ReconcileRequest& request);

 private:
  absl::StatusOr<std::vector<v1::ReconcileResponse>> Open(const v1::ReconcileOpen& open);
  absl::Status AppendKeys(const CatalogReader& reader, const ShardId& shard,
                          std::vector<v1::ReconcileResponse>& responses) const;

  absl::StatusOr<std::vector<v1::ReconcileResponse>> Keys(const v1::ShardKeysWanted& wanted) const;

  const Catalog* catalog_;
  ItemExchange items_;
  // As of `at_seq`. Shared with `items_`.
  std::shared_ptr<const PickedMembers> picked_ = std::make_shared<PickedMembers>();
  bool opened_ = false;
};

}  // namespace sluice
