// Upstream preview: what following another upstream would mean. Reads and changes nothing.
#pragma once

#include "absl/status/statusor.h"
#include "downstream/parity_peer.h"
#include "sluice/v1/upstream_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// Compares what is here with what `peer` has. What this node keeps already counts as the same where
// the peer has it; what the peer deleted since is counted among what would be kept.
//
// Errors:
//   FAILED_PRECONDITION LOOP  the peer is this node, or below it;
//   those of the link.
absl::StatusOr<v1::UpstreamPreview> PreviewUpstream(const Catalog& catalog, ParityPeer& peer);

}  // namespace sluice
