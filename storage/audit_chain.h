// Audit chain: each entry of the audit holds the hash of the one before, so that none can be
// changed, removed or put in between without its being seen.
//
// The head of the chain is in the store's state, which the anchor witnesses.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/digest.h"
#include "sluice/stored/v1/stored.pb.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// Numbers `entry`, chains it to the last one, and moves the head.
void LinkAuditEntry(v1::AuditEntry& entry, stored::v1::StoreState& state);

// What an entry's hash must be.
Digest HashOfAuditEntry(const v1::AuditEntry& entry);

// Reads all entries and compares numbers, hashes and the head.
//
// Errors: those of reading. A break in the chain is no error; the answer names it.
absl::StatusOr<v1::VerifyAuditResponse> VerifyAuditChain(const CatalogReader& reader);

}  // namespace sluice
