#include "upstream/pins.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/selection.h"

namespace sluice {
namespace {

constexpr int kUpdatesPerRequestMax = 1000;

// Adds or removes one pin and says what became of it.
v1::DecisionResult Pin(const CatalogReader& reader, const std::string& text, bool remove,
                       std::set<Uuid>& pins) {
  v1::DecisionResult result;
  result.set_update_id(text);
  const absl::StatusOr<Uuid> update = Uuid::Parse(text);
  if (!update.ok()) {
    result.mutable_status()->set_code(static_cast<int>(update.status().code()));
    result.mutable_status()->set_reason(ReasonName(v1::REASON_INVALID_REQUEST));
    result.mutable_status()->set_message(std::string(update.status().message()));
    return result;
  }
  result.set_changed(remove ? pins.erase(*update) > 0 : pins.insert(*update).second);
  const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(*update);
  if (current.ok()) {
    result.set_title(current->header.title());
  } else if (!remove) {
    result.add_warnings("is not here; it comes as soon as the upstream has it");
  }
  return result;
}

}  // namespace

absl::StatusOr<v1::PinUpdatesResponse> PinUpdates(Catalog& catalog, Audit& audit,
                                                  const CallContext& context,
                                                  const v1::PinUpdatesRequest& request) {
  if (request.update_ids_size() > kUpdatesPerRequestMax) {
    return InvalidRequest({{"update_ids", "holds more than 1,000 ids"}});
  }
  const CatalogReader reader = catalog.Read();
  ASSIGN_OR_RETURN(v1::Subscription subscription, ReadSubscription(reader));
  ASSIGN_OR_RETURN(const std::vector<Uuid> before, PicksOf(subscription));
  std::set<Uuid> pins(before.begin(), before.end());
  v1::PinUpdatesResponse response;
  CatalogChange change;
  for (const std::string& text : request.update_ids()) {
    v1::DecisionResult& result = *response.add_results();
    result = Pin(reader, text, request.remove(), pins);
    if (!result.changed()) continue;
    audit.Add(context, request.remove() ? "unpin update" : "pin update", result.update_id(),
              result.title(), change);
  }
  if (pins.size() > kPicksMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("these would be ", pins.size(), " pins; the limit is ", kPicksMax));
  }
  response.set_pins(static_cast<int64_t>(pins.size()));
  if (request.validate_only() || change.empty()) return response;
  SetPicks({pins.begin(), pins.end()}, subscription);
  change.PutRow(Family::kSettings, kSubscriptionSetting, subscription);
  RETURN_IF_ERROR(catalog.Commit(change).status());
  return response;
}

}  // namespace sluice
