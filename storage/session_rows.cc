#include "storage/session_rows.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr int kPageDefault = 200;
constexpr int kPageMax = 1000;
// More than are ever kept.
constexpr int kSessionsMax = 1 << 20;

}  // namespace

absl::StatusOr<v1::ListSessionsResponse> ListSessions(const CatalogReader& reader,
                                                      const v1::ListSessionsRequest& request) {
  if (request.page_size() < 0) return InvalidRequest({{"page_size", "is negative"}});
  const int page_size =
      request.page_size() == 0 ? kPageDefault : std::min(request.page_size(), kPageMax);
  std::string before;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &before)) {
    return InvalidRequest({{"page_token", "is none that this node gave out"}});
  }
  ASSIGN_OR_RETURN(auto rows,
                   reader.ListRows<v1::Session>(Family::kSessions, "", before, kSessionsMax));
  v1::ListSessionsResponse response;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (response.sessions_size() == page_size) {
      response.set_next_page_token(absl::WebSafeBase64Escape(std::prev(row)->first));
      break;
    }
    row->second.clear_items();
    *response.add_sessions() = std::move(row->second);
  }
  return response;
}

absl::StatusOr<v1::GetSessionResponse> GetSession(const CatalogReader& reader,
                                                  const v1::GetSessionRequest& request) {
  const absl::StatusOr<Uuid> id = Uuid::Parse(request.session_id());
  if (!id.ok()) return InvalidRequest({{"session_id", std::string(id.status().message())}});
  absl::StatusOr<v1::Session> session = reader.GetRow<v1::Session>(Family::kSessions, id->view());
  if (absl::IsNotFound(session.status())) {
    return MakeError(v1::REASON_ITEM_NOT_FOUND,
                     absl::StrCat("there is no session ", request.session_id(), " here"));
  }
  if (!session.ok()) return session.status();
  v1::GetSessionResponse response;
  *response.mutable_session() = *std::move(session);
  return response;
}

absl::StatusOr<std::optional<google::protobuf::Timestamp>> LastSuccess(
    const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<v1::Session>(Family::kSessions, "", "", kSessionsMax));
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (row->second.outcome() == v1::SYNC_OUTCOME_SUCCEEDED) return row->second.ended_at();
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<v1::SyncOutcome>> LastOutcome(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<v1::Session>(Family::kSessions, "", "", kSessionsMax));
  if (rows.empty()) return std::nullopt;
  return rows.back().second.outcome();
}

}  // namespace sluice
