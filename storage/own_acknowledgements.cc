#include "storage/own_acknowledgements.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/acknowledgements.h"
#include "storage/own_place.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr size_t kRowsPerCommit = 2'000;
constexpr int kPage = 10'000;

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

bool Reached(const PlaceExplanation& explanation, v1::VisibilityRule rule) {
  return std::any_of(
      explanation.steps.begin(), explanation.steps.end(),
      [rule](const v1::ExplainStep& step) { return step.rule() == rule && step.passed(); });
}

// All updates that this node has said something about.
absl::Status AddAcknowledged(const CatalogReader& reader, const Uuid& self,
                             std::set<Uuid>& updates) {
  std::string after = std::string(self.view());
  const std::string until = absl::StrCat(self.view(), std::string(Uuid::kSizeBytes + 1, '\xff'));
  while (true) {
    ASSIGN_OR_RETURN(const auto rows, reader.ListRows<v1::UpdateAcknowledgement>(
                                          Family::kAcknowledgements, after, until, kPage));
    for (const auto& [key, row] : rows) {
      ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(row.update_id()));
      updates.insert(update);
    }
    if (rows.size() < kPage) return absl::OkStatus();
    after = rows.back().first;
  }
}

}  // namespace

absl::StatusOr<std::string> DigestOfDecisions(const CatalogReader& reader, const Uuid& update_id) {
  ASSIGN_OR_RETURN(const std::vector<v1::DecisionEntry> entries, reader.Decisions(update_id));
  google::protobuf::RepeatedPtrField<v1::DecisionEntry> in_force;
  for (const v1::DecisionEntry& entry : entries) {
    ASSIGN_OR_RETURN(const v1::Decision decision, UnpackDecision(entry));
    if (!decision.cleared()) *in_force.Add() = entry;
  }
  return in_force.empty() ? std::string() : PolicyDigest(in_force).bytes();
}

absl::StatusOr<v1::UpdateAcknowledgement> Acknowledge(
    const CatalogReader& reader, const Uuid& update_id, const Selection& selection,
    const std::function<bool(const ContentInfo&)>& present, const v1::UpdateAcknowledgement& before,
    bool anew, absl::Time now) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  v1::UpdateAcknowledgement after;
  after.set_node_id(state.node_id());
  after.set_update_id(update_id.bytes());
  ASSIGN_OR_RETURN(*after.mutable_policy_digest(), DigestOfDecisions(reader, update_id));
  const auto keep_or_set = [&](bool reached, bool had, const google::protobuf::Timestamp& since,
                               google::protobuf::Timestamp* (v1::UpdateAcknowledgement::*field)()) {
    if (reached) *(after.*field)() = had ? since : ToTimestamp(now);
  };
  if (!after.policy_digest().empty()) {
    ASSIGN_OR_RETURN(const PlaceFacts facts, OwnPlace(reader, update_id, selection, present, now));
    const PlaceExplanation explanation = ExplainPlace(facts);
    using Ack = v1::UpdateAcknowledgement;
    keep_or_set(facts.metadata == Known::kYes, before.has_metadata_at() && !anew,
                before.metadata_at(), &Ack::mutable_metadata_at);
    keep_or_set(true, before.policy_digest() == after.policy_digest(), before.decision_at(),
                &Ack::mutable_decision_at);
    keep_or_set(Reached(explanation, v1::VISIBILITY_RULE_CONTENT), before.has_content_at(),
                before.content_at(), &Ack::mutable_content_at);
    keep_or_set(!explanation.decided_by.has_value(), before.has_visible_at(), before.visible_at(),
                &Ack::mutable_visible_at);
    after.set_files_missing(facts.files_missing);
    if (explanation.decided_by.has_value()) {
      after.set_waits_for(explanation.steps[*explanation.decided_by].reason());
    }
  }
  *after.mutable_changed_at() = before.changed_at();
  if (after.SerializeAsString() == before.SerializeAsString()) return after;
  // Later than whatever was said before, though the clock were set back.
  const int64_t earliest =
      google::protobuf::util::TimeUtil::TimestampToMicroseconds(before.changed_at()) + 1;
  *after.mutable_changed_at() = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
      std::max(absl::ToUnixMicros(now), earliest));
  return after;
}

absl::StatusOr<bool> AcknowledgeTouched(Catalog& catalog, const TouchedUpdates& touched,
                                        const Selection& selection,
                                        const std::function<bool(const ContentInfo&)>& present,
                                        absl::Time now) {
  const CatalogReader reader = catalog.Read();
  const Uuid& self = catalog.node_id();
  std::set<Uuid> updates = touched.updates;
  if (touched.all) RETURN_IF_ERROR(AddAcknowledged(reader, self, updates));
  CatalogChange change;
  bool news = false;
  for (const Uuid& update : updates) {
    ASSIGN_OR_RETURN(const v1::UpdateAcknowledgement before,
                     ReadAcknowledgement(reader, self, update));
    const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update);
    const bool anew = current.ok() && touched.revisions.contains(current->key);
    ASSIGN_OR_RETURN(const v1::UpdateAcknowledgement after,
                     Acknowledge(reader, update, selection, present, before, anew, now));
    RETURN_IF_ERROR(PutAcknowledgement(reader, after, change));
    news |= !change.empty();
    if (change.rows().changes().size() < kRowsPerCommit) continue;
    RETURN_IF_ERROR(catalog.Commit(std::exchange(change, CatalogChange())).status());
  }
  if (!change.empty()) RETURN_IF_ERROR(catalog.Commit(change).status());
  return news;
}

}  // namespace sluice
