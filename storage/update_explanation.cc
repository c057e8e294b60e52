#include "storage/update_explanation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "google/protobuf/util/time_util.h"
#include "storage/site_notices.h"

namespace sluice {
namespace {

constexpr size_t kAbsentNamed = 5;

// What one rule says.
struct Ruling {
  Known passed = Known::kUnknown;
  std::string words;
  v1::Reason reason = v1::REASON_UNSPECIFIED;
  std::string remedy = "";  // Empty: the reason's.
  absl::Time since = absl::InfinitePast();
  bool required = true;
};

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

Ruling Passed(std::string words, absl::Time since = absl::InfinitePast()) {
  return {.passed = Known::kYes, .words = std::move(words), .since = since};
}

Ruling Failed(v1::Reason reason, std::string words, std::string remedy = "") {
  return {.passed = Known::kNo,
          .words = std::move(words),
          .reason = reason,
          .remedy = std::move(remedy)};
}

Ruling Untold(std::string words) { return {.words = std::move(words)}; }

Ruling NodeSeen(const PlaceFacts& facts) {
  if (facts.here) return Passed("it answers");
  if (facts.silent_for > kSilentAfter) {
    return Failed(v1::REASON_UPSTREAM_CONNECT,
                  absl::StrCat("not heard of since ", TimeText(facts.heard_at),
                               "; what follows is what it said then"),
                  "See at that machine whether the node runs and reaches its upstream.");
  }
  Ruling ruling = Passed(absl::StrCat("heard of at ", TimeText(facts.heard_at)));
  if (!facts.conditions.empty()) {
    absl::StrAppend(&ruling.words, "; it reports ", absl::StrJoin(facts.conditions, ", "));
  }
  return ruling;
}

Ruling UpstreamHasIt(const PlaceFacts& facts) {
  if (facts.root) return Passed("nobody is above it");
  const std::string upstream = absl::StrCat("its upstream ", facts.upstream_name);
  if (facts.upstream_has_it == Known::kYes) return Passed(absl::StrCat(upstream, " has it"));
  if (facts.upstream_has_it == Known::kUnknown) {
    return Untold(absl::StrCat("what ", upstream, " has is not known here"));
  }
  if (facts.metadata != Known::kYes) {
    return Failed(v1::REASON_ITEM_NOT_FOUND, absl::StrCat(upstream, " does not have it"));
  }
  Ruling kept = Failed(v1::REASON_HISTORY_DIFFERS,
                       absl::StrCat(upstream, " does not have it any more; it is kept here"));
  kept.required = false;
  return kept;
}

Ruling Selected(const PlaceFacts& facts) {
  if (facts.metadata == Known::kYes) return Passed("it is taken");
  const std::string remedy =
      absl::StrCat("Widen the subscription of ", facts.node_name, ": sluice subscription set.");
  switch (facts.taken) {
    case Taken::kTaken:
      return Passed("its subscription takes it");
    case Taken::kNotAbove:
      return Failed(v1::REASON_ITEM_FILTERED,
                    absl::StrCat("its upstream ", facts.upstream_name, " does not take it"));
    case Taken::kNotProduct:
      return Failed(v1::REASON_ITEM_FILTERED,
                    absl::StrCat("its subscription does not take the product ", facts.left_out),
                    remedy);
    case Taken::kNotClassification:
      return Failed(
          v1::REASON_ITEM_FILTERED,
          absl::StrCat("its subscription does not take the classification ", facts.left_out),
          remedy);
    case Taken::kNotLanguage:
      return Failed(v1::REASON_ITEM_FILTERED,
                    absl::StrCat("its subscription takes none of the languages ", facts.left_out),
                    remedy);
    case Taken::kUnknown:
      break;
  }
  return Untold("whether its subscription takes it cannot be told");
}

Ruling Metadata(const PlaceFacts& facts) {
  if (facts.metadata == Known::kYes) return Passed("its metadata is here", facts.metadata_at);
  if (facts.metadata == Known::kUnknown) return Untold("it has not said whether it has it");
  const v1::Reason reason = ReasonFromName(facts.metadata_failure.reason());
  if (reason == v1::REASON_UNSPECIFIED) {
    return Failed(v1::REASON_ITEM_NOT_YET, "its metadata has not arrived yet");
  }
  const std::string message = facts.metadata_failure.message().empty()
                                  ? std::string(FactsOf(reason).cause)
                                  : facts.metadata_failure.message();
  return Failed(reason, absl::StrCat("its metadata was not accepted: ", message));
}

Ruling NotDeclined(const PlaceFacts& facts) {
  if (facts.declined == Known::kNo) return Passed("it is not declined");
  if (facts.declined == Known::kUnknown) return Untold("it has not said what is decided there");
  Ruling ruling =
      Failed(v1::REASON_ITEM_DECLINED, absl::StrCat("it is declined", facts.declined_by));
  ruling.since = facts.decision_at;
  return ruling;
}

Ruling Approved(const PlaceFacts& facts) {
  switch (facts.approval) {
    case Approval::kApproved:
      return Passed("it is approved", facts.decision_at);
    case Approval::kNotApproved:
      return Failed(v1::REASON_ITEM_NOT_APPROVED, "it is not approved for any group");
    case Approval::kForAnotherRevision:
      return Failed(v1::REASON_ITEM_NOT_YET, "what is approved is a revision that is not here",
                    "Approve the current revision, or wait until the approved one arrives.");
    case Approval::kUnknown:
      break;
  }
  return Untold("it has not said what is decided there");
}

Ruling NotHeldBack(const PlaceFacts& facts) {
  if (facts.held_back == Known::kNo) return Passed("no node on the way holds it back");
  if (facts.held_back == Known::kUnknown) return Untold("whether it is held back is not known");
  std::string words = "a node on the way holds it back";
  if (facts.notice.has_value()) {
    words =
        facts.notice->suppressed()
            ? "a node on the way suppresses it"
            : absl::StrCat("a node on the way holds it until ", TimeText(HeldUntil(*facts.notice)));
    absl::StrAppend(&words, " (", facts.notice->decided_by(),
                    facts.notice->comment().empty() ? "" : ": ", facts.notice->comment(), ")");
  }
  return Failed(v1::REASON_ITEM_HELD_BACK, std::move(words));
}

Ruling NotSuperseded(const PlaceFacts& facts) {
  Ruling ruling;
  if (facts.superseded == Known::kYes) {
    ruling = Failed(v1::REASON_UNSPECIFIED, facts.superseded_by,
                    "Decide about what took its place; this one is offered all the same.");
  } else if (facts.superseded == Known::kNo) {
    ruling = Passed("nothing took its place");
  } else {
    ruling = Untold("what took its place is not known here");
  }
  ruling.required = false;
  return ruling;
}

Ruling Licence(const PlaceFacts& facts) {
  if (facts.licence == Known::kYes) return Passed("no licence is left to accept");
  if (facts.licence == Known::kUnknown) return Untold("whether its licence is accepted is unknown");
  return Failed(v1::REASON_ITEM_NOT_APPROVED, "its licence has not been accepted",
                "Accept it at the origin.");
}

Ruling Closure(const PlaceFacts& facts) {
  if (facts.closure == Known::kYes) return Passed("all that it needs is here");
  if (facts.closure == Known::kUnknown) return Untold("whether all that it needs is there");
  std::string words = "bundle members or prerequisites are not here";
  if (!facts.absent.empty()) {
    const size_t named = std::min(facts.absent.size(), kAbsentNamed);
    absl::StrAppend(&words, ": ",
                    absl::StrJoin(facts.absent.begin(),
                                  facts.absent.begin() + static_cast<ptrdiff_t>(named), ", "));
    if (named < facts.absent.size()) {
      absl::StrAppend(&words, " and ", facts.absent.size() - named, " more");
    }
  }
  return Failed(v1::REASON_ITEM_NOT_FOUND, std::move(words),
                "Widen the subscription to what it needs, or take these updates one by one.");
}

Ruling Content(const PlaceFacts& facts) {
  if (facts.content == Known::kYes) {
    return Passed("all files are here and verified", facts.content_at);
  }
  if (facts.content == Known::kUnknown) return Untold("it has not said whether the files are here");
  std::string words = absl::StrCat(
      facts.files_missing, facts.files > 0 ? absl::StrCat(" of ", facts.files) : "",
      facts.files_missing == 1 && facts.files <= 1 ? " file is not here" : " files are not here");
  const v1::Reason reason = ReasonFromName(facts.content_failure.reason());
  if (reason == v1::REASON_UNSPECIFIED || reason == v1::REASON_CONTENT_MISSING) {
    return Failed(v1::REASON_CONTENT_MISSING, absl::StrCat(words, " yet"),
                  "Wait; they are asked for above.");
  }
  absl::StrAppend(&words, ": ",
                  facts.content_failure.message().empty() ? std::string(FactsOf(reason).cause)
                                                          : facts.content_failure.message());
  return Failed(reason, std::move(words));
}

// The rules in the order in which they are asked.
constexpr struct {
  v1::VisibilityRule rule;
  Ruling (*ask)(const PlaceFacts& facts);
} kRules[] = {{v1::VISIBILITY_RULE_NODE_SEEN, NodeSeen},
              {v1::VISIBILITY_RULE_UPSTREAM_HAS_IT, UpstreamHasIt},
              {v1::VISIBILITY_RULE_SELECTED, Selected},
              {v1::VISIBILITY_RULE_METADATA, Metadata},
              {v1::VISIBILITY_RULE_NOT_DECLINED, NotDeclined},
              {v1::VISIBILITY_RULE_APPROVED, Approved},
              {v1::VISIBILITY_RULE_NOT_HELD_BACK, NotHeldBack},
              {v1::VISIBILITY_RULE_NOT_SUPERSEDED, NotSuperseded},
              {v1::VISIBILITY_RULE_LICENCE, Licence},
              {v1::VISIBILITY_RULE_CLOSURE, Closure},
              {v1::VISIBILITY_RULE_CONTENT, Content}};

v1::ExplainStep StepOf(const PlaceFacts& facts, v1::VisibilityRule rule, const Ruling& ruling) {
  v1::ExplainStep step;
  step.set_node_id(facts.node_id);
  step.set_node_name(facts.node_name);
  step.set_rule(rule);
  step.set_passed(ruling.passed == Known::kYes);
  step.set_unknown(ruling.passed == Known::kUnknown);
  step.set_words(ruling.words);
  if (ruling.since != absl::InfinitePast()) {
    *step.mutable_since() =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(ruling.since));
  }
  if (ruling.passed != Known::kNo) return step;
  if (ruling.reason != v1::REASON_UNSPECIFIED) step.set_reason(ReasonName(ruling.reason));
  step.set_remedy(ruling.remedy.empty() ? std::string(FactsOf(ruling.reason).remedy)
                                        : ruling.remedy);
  return step;
}

// The step that is to blame for `path[last]`: what a node lacks because the one above it does, is
// that one's matter.
const v1::ExplainStep* Blamed(const std::vector<PlaceExplanation>& path, size_t last) {
  const PlaceExplanation& place = path[last];
  if (!place.decided_by.has_value()) return nullptr;
  const v1::ExplainStep* const own = &place.steps[*place.decided_by];
  if (last == 0) return own;
  const PlaceExplanation& above = path[last - 1];
  if (!above.decided_by.has_value()) return own;
  const v1::ExplainStep& its = above.steps[*above.decided_by];
  const bool absent_above =
      own->rule() == v1::VISIBILITY_RULE_UPSTREAM_HAS_IT ||
      (own->rule() == v1::VISIBILITY_RULE_SELECTED && its.rule() <= v1::VISIBILITY_RULE_METADATA);
  const bool waits_for_above = own->reason() == ReasonName(v1::REASON_CONTENT_MISSING) &&
                               its.rule() == v1::VISIBILITY_RULE_CONTENT;
  return absent_above || waits_for_above ? Blamed(path, last - 1) : own;
}

}  // namespace

PlaceExplanation ExplainPlace(const PlaceFacts& facts) {
  PlaceExplanation explanation;
  std::optional<size_t> untold;
  for (const auto& [rule, ask] : kRules) {
    const Ruling ruling = ask(facts);
    const size_t place = explanation.steps.size();
    explanation.steps.push_back(StepOf(facts, rule, ruling));
    if (!ruling.required) continue;
    const bool first = !explanation.decided_by.has_value();
    if (ruling.passed == Known::kNo && first) explanation.decided_by = place;
    // What the upstream has does not matter once the update is here.
    const bool matters =
        rule != v1::VISIBILITY_RULE_UPSTREAM_HAS_IT || facts.metadata != Known::kYes;
    if (ruling.passed == Known::kUnknown && matters && !untold.has_value()) untold = place;
  }
  if (!explanation.decided_by.has_value()) explanation.decided_by = untold;
  return explanation;
}

v1::ExplainResponse ExplainPath(const std::vector<PlaceFacts>& path) {
  std::vector<PlaceExplanation> places;
  for (const PlaceFacts& facts : path) places.push_back(ExplainPlace(facts));
  const PlaceFacts& asked = path.back();
  v1::ExplainResponse response;
  response.set_node_id(asked.node_id);
  response.set_node_name(asked.node_name);
  const v1::ExplainStep* const blamed = Blamed(places, places.size() - 1);
  response.set_visible(blamed == nullptr);
  if (blamed == nullptr) {
    response.set_verdict(absl::StrCat(asked.node_name, " offers it",
                                      asked.visible_at == absl::InfinitePast()
                                          ? ""
                                          : absl::StrCat(" since ", TimeText(asked.visible_at))));
  } else if (blamed->unknown()) {
    response.set_verdict(
        absl::StrCat("whether ", asked.node_name, " offers it cannot be told: ", blamed->words()));
  } else {
    const bool elsewhere = blamed->node_id() != asked.node_id;
    response.set_verdict(absl::StrCat(
        asked.node_name,
        " does not offer it: ", elsewhere ? absl::StrCat("at ", blamed->node_name(), ", ") : "",
        blamed->words(), ". ", blamed->remedy()));
  }
  for (PlaceExplanation& place : places) {
    for (v1::ExplainStep& step : place.steps) *response.add_steps() = std::move(step);
  }
  return response;
}

}  // namespace sluice
