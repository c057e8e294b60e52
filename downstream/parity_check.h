// Parity check: what differs between this node and its upstream over its selection.
//
// Shard fingerprints say where to look; what those that differ hold is compared by items
// (item_comparison.h), or by their keys where the upstream does not know items; and what the
// upstream answers about those records says what kind of difference each is. Content is judged by
// what the store holds, never by what a row says. The check reads and changes nothing but its own
// list of findings.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "downstream/parity_peer.h"
#include "downstream/record_comparison.h"
#include "sluice/v1/parity_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

class ParityCheck {
 public:
  struct Options {
    v1::NodeMode mode = v1::NODE_MODE_REPLICA;
    // Read and hash every wanted file, and look for dangling references in the whole catalog.
    bool thorough = false;
    v1::ParityTrigger trigger = v1::PARITY_TRIGGER_OPERATOR;
    // Since when a node above has wanted it, by that node's clock.
    absl::Time wanted_at = absl::InfinitePast();
  };

  ParityCheck(Catalog& catalog, ContentStore& content, Clock& clock);

  // Compares and calls `found` for each finding.
  //
  // Errors:
  //   those of the link to the upstream;
  //   DATA_LOSS  the own store is damaged.
  absl::StatusOr<v1::CheckSummary> Run(ParityPeer& peer, const Options& options,
                                       const std::function<void(const v1::Finding&)>& found);

 private:
  // What is compared with the upstream at all.
  bool Counts(const v1::ShardDefinition& shard, const Options& options) const;
  absl::Status CompareRecords(const CatalogReader& reader, ParityPeer& peer, const Options& options,
                              v1::CheckSummary& summary, std::vector<Difference>& differences);
  absl::Status LookInside(const CatalogReader& reader, ParityPeer& peer, const Options& options,
                          v1::CheckSummary& summary, std::vector<v1::Finding>& findings);
  absl::Status ListKept(const CatalogReader& reader, std::vector<Difference>& differences);

  Catalog& catalog_;
  ContentStore& content_;
  Clock& clock_;
};

}  // namespace sluice
