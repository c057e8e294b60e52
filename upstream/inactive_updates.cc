#include "upstream/inactive_updates.h"

#include <string>

#include "common/status.h"
#include "storage/decisions.h"

namespace sluice {

absl::StatusOr<v1::ListUpdatesResponse> ListInactiveUpdates(const CatalogReader& reader,
                                                            const Page& page) {
  constexpr int kScanPage = 500;
  std::string after = page.after;
  if (!after.empty() && !RecordKey::Decode(after).ok()) {
    return InvalidRequest({{"page_token", "is none that this node gave out"}});
  }
  v1::ListUpdatesResponse response;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                     reader.List(v1::RECORD_KIND_POLICY, after, kScanPage));
    if (policies.empty()) return response;
    for (const RecordColumns& policy : policies) {
      ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, policy.key.id));
      if (standing.inactive() && response.updates_size() == page.size) {
        response.set_next_page_token(PageToken(after));
        return response;
      }
      after = policy.key.Encode();
      if (!standing.inactive()) continue;
      v1::UpdateSummary& summary = *response.add_updates();
      summary.set_update_id(policy.key.id.ToString());
      summary.set_state(standing.state);
    }
  }
}

}  // namespace sluice
