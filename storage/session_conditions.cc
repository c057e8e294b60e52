#include "storage/session_conditions.h"

#include <map>
#include <string>

#include "sluice/v1/sync_service.pb.h"

namespace sluice {

std::vector<v1::Condition> SessionConditions(const CatalogReader& reader, absl::string_view peer) {
  constexpr int kSessionsMax = 1 << 20;
  const auto rows = reader.ListRows<v1::Session>(Family::kSessions, "", "", kSessionsMax);
  if (!rows.ok()) return {};
  std::map<std::string, const v1::Session*> last;
  for (const auto& [key, session] : *rows) {
    const bool asked = peer.empty() || session.peer() == peer;
    if (asked && session.outcome() != v1::SYNC_OUTCOME_RUNNING) last[session.peer()] = &session;
  }
  std::vector<v1::Condition> conditions;
  for (const auto& [name, session] : last) {
    if (session->outcome() != v1::SYNC_OUTCOME_FAILED || session->errors().empty()) continue;
    v1::Condition& condition = conditions.emplace_back();
    condition.set_reason(session->errors(0).reason());
    *condition.mutable_since() = session->started_at();
    condition.set_message(session->errors(0).message());
    condition.set_cause(session->errors(0).cause());
    condition.set_remedy(session->errors(0).remedy());
  }
  return conditions;
}

}  // namespace sluice
