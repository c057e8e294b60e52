// Node report: what this node tells the one above about itself and those below it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class ContentWants;

struct NodeFacts {
  std::string name;
  v1::NodeMode mode = v1::NODE_MODE_REPLICA;
  std::string release;
};

// This node first, then all below it that have reported here.
absl::StatusOr<v1::ReportRequest> MakeReport(const CatalogReader& reader, const NodeFacts& facts,
                                             const ContentWants& wants, absl::Time now);

// The levels of the tree at and below this node, itself included.
absl::StatusOr<int> LevelsBelow(const CatalogReader& reader);

}  // namespace sluice
