// Petition rows: what nodes below ask of this node's operator, and what this node asks of the one
// above it, as rows of the catalog; and what a petition may hold at all.
//
// Records that are offered back are in a row of their own, so that a list does not read them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sluice/v1/petition.pb.h"
#include "storage/catalog.h"

namespace sluice {

// Petitions that may be open at a node, and how many of them may offer records, which can be 1 MiB
// each. Decided ones are kept up to the same number.
inline constexpr int kOpenPetitionsMax = 1000;
inline constexpr int kOpenReturnsMax = 100;
inline constexpr int kReturnRecordsMax = 512;
inline constexpr int64_t kReturnBytesMax = int64_t{1} << 20;

// Whether a petition that came from elsewhere is well formed and within its limits. Every record in
// it is verified.
//
// Errors: INVALID_ARGUMENT, naming the field.
absl::Status CheckPetition(const v1::Petition& petition);

// Waiting, or asked of the node above.
bool IsOpen(const v1::Petition& petition);

// All, without records, newest first.
absl::StatusOr<std::vector<v1::Petition>> ReadPetitions(const CatalogReader& reader);

// One, with its records. Errors: NOT_FOUND ITEM_NOT_FOUND.
absl::StatusOr<v1::Petition> ReadPetition(const CatalogReader& reader, absl::string_view id);

// Stores a petition as a whole, or only what changes when it is decided.
void PutPetition(const v1::Petition& petition, CatalogChange& change);
void PutPetitionState(const v1::Petition& petition, CatalogChange& change);
void DeletePetition(absl::string_view id, CatalogChange& change);

}  // namespace sluice
