// Parity check: what differs between this node and its upstream over its selection.
//
// Shard fingerprints say where to look; what those that differ hold is compared by items
// (item_comparison.h), or by their keys where the upstream does not know items. Content
// is judged by what the store holds, never by what a row says. The check reads and changes nothing
// but its own list of findings.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "sluice/v1/parity_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

// What a check asks of the node above. Calls block; failures carry the link's reasons.
class ParityPeer {
 public:
  virtual ~ParityPeer() = default;

  virtual absl::StatusOr<v1::HelloResponse> Hello() = 0;

  // All shards in this node's selection.
  virtual absl::StatusOr<v1::ReconcileSums> Sums() = 0;

  // The keys of these shards.
  virtual absl::StatusOr<std::vector<v1::ShardKeys>> Keys(const std::vector<ShardId>& shards) = 0;

  // The next request in the exchange that `Sums` began, and the next answer.
  virtual absl::Status Send(const v1::ReconcileRequest& request) = 0;
  virtual absl::StatusOr<v1::ReconcileResponse> Receive() = 0;

  // Bytes moved by the calls so far.
  virtual int64_t wire_bytes() const = 0;
};

class ParityCheck {
 public:
  ParityCheck(Catalog& catalog, ContentStore& content, Clock& clock);

  // Compares and calls `found` for each finding.
  //
  // Errors:
  //   those of the link to the upstream;
  //   DATA_LOSS  the own store is damaged.
  absl::StatusOr<v1::CheckSummary> Run(ParityPeer& peer, const v1::CheckRequest& request,
                                       const std::function<void(const v1::Finding&)>& found);

 private:
  absl::Status CompareRecords(const CatalogReader& reader, ParityPeer& peer,
                              v1::CheckSummary& summary, std::vector<v1::Finding>& findings);
  absl::Status ListKept(const CatalogReader& reader, std::vector<v1::Finding>& findings);
  absl::Status CheckContent(const CatalogReader& reader, bool verify, v1::CheckSummary& summary,
                            std::vector<v1::Finding>& findings);
  absl::Status CheckFile(const CatalogReader& reader, const Uuid& update_id,
                         const stored::v1::FileReference& file, bool verify,
                         std::vector<v1::Finding>& findings);
  // Takes over when each was first seen, and remembers the present list.
  absl::Status Remember(const CatalogReader& reader, std::vector<v1::Finding>& findings);

  Catalog& catalog_;
  ContentStore& content_;
  Clock& clock_;
};

}  // namespace sluice
