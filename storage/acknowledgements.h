// Acknowledgements: how far decided updates have come at this node and at those below, in rows of
// Family::kAcknowledgements; and which rows the upstream has not been told yet.
//
// A row that is still to be told has an entry beside it in the same commit, whose key sorts by when
// the row changed. So a restart forgets nothing, and what is told costs what has changed.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/uuid.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "sluice/v1/tree.pb.h"
#include "storage/catalog.h"

namespace sluice {

inline constexpr int kAcknowledgementsPerReport = 2'000;
// What was not heard of for so long is no node of this tree any more.
inline constexpr absl::Duration kNodeForgottenAfter = absl::Hours(24 * 90);

std::string AcknowledgementKey(const Uuid& node_id, const Uuid& update_id);

// The row; an empty one when there is none.
absl::StatusOr<v1::UpdateAcknowledgement> ReadAcknowledgement(const CatalogReader& reader,
                                                              const Uuid& node_id,
                                                              const Uuid& update_id);

// Puts a row into `change`, and that it is to be told, unless it says what is known already. At the
// root, where nobody is to be told, one without decisions just goes.
absl::Status PutAcknowledgement(const CatalogReader& reader,
                                const v1::UpdateAcknowledgement& acknowledgement,
                                CatalogChange& change);

// Those of a report. What is no acknowledgement, is of the node itself, or of none that `nodes`
// lists, is passed over.
absl::Status TakeAcknowledgements(
    const CatalogReader& reader, const google::protobuf::RepeatedPtrField<v1::NodeStatus>& nodes,
    const google::protobuf::RepeatedPtrField<v1::UpdateAcknowledgement>& acknowledgements,
    CatalogChange& change);

// How often rows of nodes were forgotten. An entry that was there before and after may be another.
absl::StatusOr<uint64_t> TimesForgotten(const CatalogReader& reader);

// Removes all rows of a node; at most 100,000 at a time. Returns whether that was all.
absl::StatusOr<bool> ForgetAcknowledgementsOf(const CatalogReader& reader, const Uuid& node_id,
                                              CatalogChange& change);

// Once this node has begun another history: removes all rows of others, who tell a new history
// everything; what was known before may be older, and must not be told to those above.
absl::Status ForgetFormerHistoryHere(const CatalogReader& reader, CatalogChange& change);

// Removes nodes that were not heard of for `kNodeForgottenAfter`, with their acknowledgements.
absl::Status ForgetSilentNodes(const CatalogReader& reader, absl::Time now, CatalogChange& change);

// ---- Rows that are to be told. For `AcknowledgementOutbox`.

// Entries have keys in (from, until); rows have larger ones.
struct ToTellRange {
  std::string from;
  std::string until;
};
ToTellRange ToTellKeys();
// The entry of a row as it is now, and the row of an entry.
std::string ToTellKey(const v1::UpdateAcknowledgement& acknowledgement);
std::string RowOfToTellKey(absl::string_view key);

}  // namespace sluice
