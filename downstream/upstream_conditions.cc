#include "downstream/upstream_conditions.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "downstream/upstream_adoption.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/selection.h"

namespace sluice {
namespace {

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

v1::Condition Make(v1::Reason reason, const std::string& message) {
  v1::Condition condition;
  condition.set_reason(ReasonName(reason));
  condition.set_message(message);
  condition.set_cause(std::string(FactsOf(reason).cause));
  condition.set_remedy(std::string(FactsOf(reason).remedy));
  return condition;
}

// When the last session ended that kept something; now when none is remembered.
google::protobuf::Timestamp KeptSince(const CatalogReader& reader) {
  constexpr int kSessionsMax = 1 << 20;
  const auto rows = reader.ListRows<v1::Session>(Family::kSessions, "", "", kSessionsMax);
  google::protobuf::Timestamp since = ToTimestamp(absl::Now());
  if (!rows.ok()) return since;
  for (const auto& [key, session] : *rows) {
    if (session.counts().kept() > 0) since = session.started_at();
  }
  return since;
}

std::string KeptText(const KeptCount& kept) {
  return absl::StrCat(kept.records, " records are kept here that it lacks, ", kept.updates,
                      " of them revisions of updates");
}

}  // namespace

std::vector<v1::Condition> UpstreamConditions(const CatalogReader& reader,
                                              const UpstreamFollower::State& state, bool waiting) {
  std::vector<v1::Condition> conditions;
  const KeptCount kept = CountKept(reader).value_or(KeptCount());
  if (state.current != 0) {
    std::string message =
        absl::StrCat("following ", state.places[state.current].target, " instead of ",
                     state.places.front().target, ": ", state.failed_over_why);
    if (waiting) absl::StrAppend(&message, "; it is behind what is known here, which is kept");
    if (kept.records > 0) absl::StrAppend(&message, "; ", KeptText(kept));
    conditions.push_back(Make(v1::REASON_FAILED_OVER, message));
    *conditions.back().mutable_since() = ToTimestamp(state.failed_over_since);
  } else if (kept.records > 0) {
    const absl::StatusOr<v1::HelloResponse> above = ReadUpstreamHello(reader);
    const std::string name = above.ok() ? above->node_name() : "";
    conditions.push_back(
        Make(v1::REASON_HISTORY_DIFFERS,
             absl::StrCat("the history of \"", name, "\" is another one: ", KeptText(kept))));
    *conditions.back().mutable_since() = KeptSince(reader);
  }
  return conditions;
}

}  // namespace sluice
