#include "upstream/reported_place.h"

#include <string>

#include "common/errors.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

absl::Time ToTime(bool is_set, const google::protobuf::Timestamp& timestamp) {
  if (!is_set) return absl::InfinitePast();
  return absl::FromUnixMicros(google::protobuf::util::TimeUtil::TimestampToMicroseconds(timestamp));
}

bool SameHistory(const v1::Cursor& a, const v1::Cursor& b) {
  return a.upstream_id() == b.upstream_id() && a.epoch().epoch_id() == b.epoch().epoch_id();
}

// The rule that an acknowledgement's reason stands for; unspecified: all passed.
v1::VisibilityRule RuleOf(const ReportedFacts& reported) {
  const v1::UpdateAcknowledgement& said = reported.acknowledgement;
  if (said.waits_for().empty()) return v1::VISIBILITY_RULE_UNSPECIFIED;
  const bool here = said.has_metadata_at();
  switch (ReasonFromName(said.waits_for())) {
    case v1::REASON_ITEM_DECLINED:
      return v1::VISIBILITY_RULE_NOT_DECLINED;
    case v1::REASON_ITEM_NOT_APPROVED:
      return reported.same_decisions && reported.own.approval == Approval::kApproved
                 ? v1::VISIBILITY_RULE_LICENCE
                 : v1::VISIBILITY_RULE_APPROVED;
    case v1::REASON_ITEM_NOT_YET:
      return here ? v1::VISIBILITY_RULE_APPROVED : v1::VISIBILITY_RULE_METADATA;
    case v1::REASON_ITEM_HELD_BACK:
      return v1::VISIBILITY_RULE_NOT_HELD_BACK;
    case v1::REASON_ITEM_NOT_FOUND:
      return here ? v1::VISIBILITY_RULE_CLOSURE : v1::VISIBILITY_RULE_METADATA;
    default:
      return here ? v1::VISIBILITY_RULE_CONTENT : v1::VISIBILITY_RULE_METADATA;
  }
}

// What an acknowledgement says of the rules from the decisions on.
void TakeAcknowledgement(const ReportedFacts& reported, PlaceFacts& facts) {
  const v1::UpdateAcknowledgement& said = reported.acknowledgement;
  const v1::VisibilityRule stopped = RuleOf(reported);
  const auto passed = [stopped](v1::VisibilityRule rule) {
    if (stopped == v1::VISIBILITY_RULE_UNSPECIFIED || rule < stopped) return Known::kYes;
    return rule == stopped ? Known::kNo : Known::kUnknown;
  };
  const auto inverse = [](Known known) {
    if (known == Known::kUnknown) return known;
    return known == Known::kYes ? Known::kNo : Known::kYes;
  };
  facts.metadata = said.has_metadata_at() ? Known::kYes : Known::kNo;
  facts.metadata_at = ToTime(said.has_metadata_at(), said.metadata_at());
  if (stopped == v1::VISIBILITY_RULE_METADATA &&
      said.waits_for() != ReasonName(v1::REASON_ITEM_NOT_YET)) {
    facts.metadata_failure.set_reason(said.waits_for());
  }
  facts.decided = Known::kYes;
  facts.decision_at = ToTime(said.has_decision_at(), said.decision_at());
  facts.declined = inverse(passed(v1::VISIBILITY_RULE_NOT_DECLINED));
  const Known approved = passed(v1::VISIBILITY_RULE_APPROVED);
  facts.approval = approved == Known::kYes       ? Approval::kApproved
                   : approved == Known::kUnknown ? Approval::kUnknown
                   : said.waits_for() == ReasonName(v1::REASON_ITEM_NOT_YET)
                       ? Approval::kForAnotherRevision
                       : Approval::kNotApproved;
  facts.held_back = inverse(passed(v1::VISIBILITY_RULE_NOT_HELD_BACK));
  facts.licence = passed(v1::VISIBILITY_RULE_LICENCE);
  if (reported.same_decisions) {
    facts.declined_by = reported.own.declined_by;
    if (facts.declined == Known::kUnknown) facts.declined = reported.own.declined;
    if (facts.licence == Known::kUnknown) facts.licence = reported.own.licence;
  }
  if (facts.held_back == Known::kYes) facts.notice = reported.own.notice;
  facts.closure = passed(v1::VISIBILITY_RULE_CLOSURE);
  facts.content = said.has_content_at() ? Known::kYes : passed(v1::VISIBILITY_RULE_CONTENT);
  facts.content_at = ToTime(said.has_content_at(), said.content_at());
  facts.visible_at = ToTime(said.has_visible_at(), said.visible_at());
  facts.files_missing = said.files_missing();
  if (stopped == v1::VISIBILITY_RULE_CONTENT) facts.content_failure.set_reason(said.waits_for());
}

// A node that has said nothing has no decision, but for one that is on its way.
void TakeSilence(const ReportedFacts& reported, PlaceFacts& facts) {
  const bool takes_it = reported.taken == Taken::kTaken || reported.taken == Taken::kUnknown;
  facts.metadata = reported.followed;
  if (!takes_it || reported.parent.metadata == Known::kNo) facts.metadata = Known::kNo;
  const bool decides_itself = reported.node.status().mode() == v1::NODE_MODE_AUTONOMOUS;
  const bool undecided = reported.own.decided == Known::kNo && !decides_itself;
  if (undecided) {
    facts.decided = Known::kNo;
    facts.declined = Known::kNo;
    facts.approval = Approval::kNotApproved;
  } else if (facts.metadata == Known::kNo && !decides_itself) {
    facts.decided = Known::kNo;  // It comes with the update.
  }
  if (reported.own.held_back == Known::kYes) {
    facts.held_back = Known::kYes;
    facts.notice = reported.own.notice;
  }
}

}  // namespace

PlaceFacts ReportedPlace(const ReportedFacts& reported, absl::Time now) {
  const v1::NodeStatus& status = reported.node.status();
  PlaceFacts facts;
  facts.node_id = reported.node.node_id();
  facts.node_name = status.name().empty() ? facts.node_id : status.name();
  facts.here = false;
  facts.heard_at = ToTime(reported.node.has_heard_at(), reported.node.heard_at());
  facts.silent_for = now - facts.heard_at;
  facts.conditions.assign(status.conditions().begin(), status.conditions().end());
  facts.upstream_name = reported.parent.node_name;
  facts.upstream_has_it = reported.parent.metadata;
  facts.taken = reported.taken;
  facts.left_out = reported.left_out;
  const Taken above = reported.parent.taken;
  if (above != Taken::kTaken && above != Taken::kUnknown &&
      reported.parent.metadata == Known::kNo) {
    facts.taken = Taken::kNotAbove;
  }
  facts.superseded = reported.own.superseded;
  facts.superseded_by = reported.own.superseded_by;
  if (reported.acknowledgement.policy_digest().empty()) {
    TakeSilence(reported, facts);
  } else {
    TakeAcknowledgement(reported, facts);
  }
  return facts;
}

Known FollowedBeyond(const v1::NodeStatus& node, const v1::NodeStatus& self, const v1::Cursor& root,
                     uint64_t seq) {
  v1::Cursor own;
  own.set_upstream_id(self.node_id());
  *own.mutable_epoch() = self.epoch();
  // The root itself, or the node right above: its seqs are at hand.
  for (const v1::Cursor& cursor : {node.root_cursor(), node.cursor()}) {
    if (SameHistory(cursor, own)) return cursor.seq() >= seq ? Known::kYes : Known::kNo;
  }
  const bool as_far = SameHistory(node.root_cursor(), root) && !root.upstream_id().empty() &&
                      node.root_cursor().seq() >= root.seq();
  return as_far ? Known::kYes : Known::kUnknown;
}

}  // namespace sluice
