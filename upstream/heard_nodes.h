// Heard nodes: what reports say of the nodes below, in rows of Family::kNodes.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// Puts the rows of a report into `change`: its first node is the caller, which was heard of now.
// One further below was heard of when the caller has something new to say of it, and what a former
// upstream still says of a node that moved on counts for nothing.
//
// Errors: INVALID_ARGUMENT a node id that is none.
absl::Status HearNodes(const CatalogReader& reader, const v1::ReportRequest& request,
                       absl::Time now, CatalogChange& change);

// Puts into `change` that a node which reported before was here and lacks nothing: with no file on
// its way either, its session ends well. Nothing for a node that is not known.
absl::Status HearNode(const CatalogReader& reader, const Uuid& id, absl::Time now,
                      CatalogChange& change);

// Whether the caller has not sent a later report that was taken in already: one that was cut off
// from its answer may still be on its way when the next one comes. A clock that was set back by
// more than minutes is not taken for that.
//
// Errors: ABORTED STALE_VERSION.
absl::Status CheckNotLate(const CatalogReader& reader, const v1::ReportRequest& request);

// Forgets the acknowledgements of nodes that have begun another history since, and of those below
// them; of all nodes once this node itself has. They tell all of it anew. To be committed before
// the report is taken in.
absl::Status ForgetFormerHistories(const CatalogReader& reader, const v1::ReportRequest& request,
                                   CatalogChange& change);

}  // namespace sluice
