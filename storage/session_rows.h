// Session rows: the sessions of a node as an operator reads them, newest first.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "google/protobuf/timestamp.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// Errors: INVALID_ARGUMENT a bad page token.
absl::StatusOr<v1::ListSessionsResponse> ListSessions(const CatalogReader& reader,
                                                      const v1::ListSessionsRequest& request);

// Errors: NOT_FOUND ITEM_NOT_FOUND no such session; INVALID_ARGUMENT the id is none.
absl::StatusOr<v1::GetSessionResponse> GetSession(const CatalogReader& reader,
                                                  const v1::GetSessionRequest& request);

// When the newest session that got everything ended; none when none did.
absl::StatusOr<std::optional<google::protobuf::Timestamp>> LastSuccess(const CatalogReader& reader);

// How the newest session stands or ended; none when there was none.
absl::StatusOr<std::optional<v1::SyncOutcome>> LastOutcome(const CatalogReader& reader);

}  // namespace sluice
