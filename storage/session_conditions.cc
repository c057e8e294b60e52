#include "storage/session_conditions.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/selection.h"

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
  const auto picks = reader.GetRow<v1::Subscription>(Family::kSettings, kPicksSetting);
  if (picks.ok() && picks->update_ids_size() >= kPicksMax) {
    v1::Condition& condition = conditions.emplace_back();
    condition.set_reason(ReasonName(v1::REASON_ITEM_FILTERED));
    condition.set_message(absl::StrCat("so many updates are taken one by one that those beyond ",
                                       kPicksMax, " are left out"));
    condition.set_cause("pins, and what these and the selection need outside of the subscription");
    condition.set_remedy("Widen the subscription: sluice subscription set.");
  }
  return conditions;
}

}  // namespace sluice
