#include "downstream/finding_words.h"

#include <string>

#include "absl/strings/string_view.h"
#include "common/errors.h"

namespace sluice {
namespace {

struct Words {
  v1::Reason reason = v1::REASON_UNSPECIFIED;
  absl::string_view cause;
  absl::string_view remedy;
};

constexpr absl::string_view kSynchronise = "Synchronise: sluice sync start.";

Words WordsOfRecords(v1::FindingClass finding_class) {
  switch (finding_class) {
    case v1::FINDING_CLASS_MISSING_UPSTREAM:
      return {v1::REASON_ITEM_NOT_FOUND, "this node has it and its upstream's history never had it",
              "Offer it to the upstream: sluice parity fix --return; or let the upstream import it "
              "again; or decline it there. Until then this node keeps it."};
    case v1::FINDING_CLASS_MISSING_UPSTREAM_FILTERED:
      return {v1::REASON_ITEM_FILTERED,
              "this node has it, and the upstream's own selection does not take it",
              "Ask the upstream for it: sluice parity fix --widen or --pin; or decline it."};
    case v1::FINDING_CLASS_MISSING_UPSTREAM_PURGED:
      return {v1::REASON_ITEM_PURGED, "this node has it, and the upstream deleted it",
              "Synchronise, and it goes here too: sluice sync start; or ask for it again: sluice "
              "parity fix --return."};
    case v1::FINDING_CLASS_MISSING_DOWNSTREAM:
      return {v1::REASON_ITEM_NOT_YET,
              "the upstream has it, it is in the selection, and it is not here", kSynchronise};
    case v1::FINDING_CLASS_REVISION_DIFFERS:
      return {v1::REASON_ITEM_NOT_YET, "the two nodes hold different revisions of it",
              kSynchronise};
    case v1::FINDING_CLASS_TRANSIENT_METADATA:
      return {v1::REASON_ITEM_NOT_YET,
              "the upstream is itself behind and has yet to get what is here",
              "Wait until the upstream has synchronised; see sluice tree there."};
    case v1::FINDING_CLASS_HEADER_MISMATCH:
      return {v1::REASON_ITEM_CORRUPT,
              "the same revision number stands for different facts on the two nodes: damage, "
              "tampering, or two origins",
              "Find out which side is right before anything else; then synchronise: sluice sync "
              "start."};
    case v1::FINDING_CLASS_DANGLING:
      return {v1::REASON_ITEM_NOT_FOUND, "an update that it needs is not here",
              "Take what it needs: sluice parity fix --pin, or select its product."};
    case v1::FINDING_CLASS_VERSION_HIDDEN:
      return {v1::REASON_ITEM_TOO_NEW,
              "the upstream has it in a form that this release cannot read", "Upgrade this node."};
    default:
      return {v1::REASON_ITEM_NOT_YET, "the two nodes differ", kSynchronise};
  }
}

Words WordsOfContent(v1::FindingClass finding_class) {
  switch (finding_class) {
    case v1::FINDING_CLASS_CONTENT_MISSING:
      return {v1::REASON_CONTENT_MISSING, FactsOf(v1::REASON_CONTENT_MISSING).cause,
              "Fetch it again: sluice parity fix --fetch."};
    case v1::FINDING_CLASS_CONTENT_CORRUPT:
      return {v1::REASON_CONTENT_CORRUPT, FactsOf(v1::REASON_CONTENT_CORRUPT).cause,
              "Fetch it again: sluice parity fix --fetch; if it comes back, look at the disk."};
    default:
      return {v1::REASON_ITEM_NOT_YET, "the upstream does not have the file yet either",
              "Wait: the upstream was asked for it, and it comes by itself."};
  }
}

Words WordsOfDecisions(v1::FindingClass finding_class) {
  switch (finding_class) {
    case v1::FINDING_CLASS_APPROVAL_MISSING:
      return {v1::REASON_ITEM_NOT_YET, "approved at the upstream and not here", kSynchronise};
    case v1::FINDING_CLASS_APPROVAL_EXTRA:
      return {v1::REASON_ITEM_NOT_YET, "approved here and not at the upstream", kSynchronise};
    case v1::FINDING_CLASS_APPROVAL_INACTIVE:
      return {v1::REASON_ITEM_FILTERED,
              "approved, and the update is outside of this node's selection, so nothing comes of "
              "it",
              "Select its product, classification or language: sluice subscription set; or clear "
              "the approval at its origin: sluice clear."};
    case v1::FINDING_CLASS_APPROVAL_STALE_REVISION:
      return {v1::REASON_ITEM_NOT_YET, "the two nodes approve different revisions of it",
              kSynchronise};
    case v1::FINDING_CLASS_DECLINE_MISMATCH:
      return {v1::REASON_ITEM_NOT_YET, "declined on one of the two nodes only", kSynchronise};
    case v1::FINDING_CLASS_LICENCE_MISMATCH:
      return {v1::REASON_ITEM_NOT_YET, "its licence is accepted on one of the two nodes only",
              kSynchronise};
    case v1::FINDING_CLASS_GROUP_MISMATCH:
      return {v1::REASON_ITEM_NOT_YET, "the two nodes have different groups", kSynchronise};
    default:
      return {v1::REASON_ITEM_NOT_YET, "the upstream decided otherwise than what is known here",
              kSynchronise};
  }
}

Words WordsOf(v1::FindingClass finding_class) {
  switch (finding_class) {
    case v1::FINDING_CLASS_CONTENT_MISSING:
    case v1::FINDING_CLASS_CONTENT_CORRUPT:
    case v1::FINDING_CLASS_TRANSIENT_CONTENT:
      return WordsOfContent(finding_class);
    case v1::FINDING_CLASS_DECISION_DIFFERS:
    case v1::FINDING_CLASS_APPROVAL_MISSING:
    case v1::FINDING_CLASS_APPROVAL_EXTRA:
    case v1::FINDING_CLASS_APPROVAL_INACTIVE:
    case v1::FINDING_CLASS_APPROVAL_STALE_REVISION:
    case v1::FINDING_CLASS_DECLINE_MISMATCH:
    case v1::FINDING_CLASS_LICENCE_MISMATCH:
    case v1::FINDING_CLASS_GROUP_MISMATCH:
      return WordsOfDecisions(finding_class);
    default:
      return WordsOfRecords(finding_class);
  }
}

}  // namespace

void Explain(v1::Finding& finding) {
  const Words words = WordsOf(finding.finding_class());
  if (finding.reason().empty()) finding.set_reason(ReasonName(words.reason));
  if (finding.cause().empty()) finding.set_cause(std::string(words.cause));
  if (finding.remedy().empty()) finding.set_remedy(std::string(words.remedy));
}

void Reclassify(v1::Finding& finding, v1::FindingClass finding_class) {
  finding.set_finding_class(finding_class);
  finding.clear_reason();
  finding.clear_cause();
  finding.clear_remedy();
  Explain(finding);
}

bool IsBeyondSynchronising(const v1::Finding& finding) {
  switch (finding.finding_class()) {
    case v1::FINDING_CLASS_MISSING_UPSTREAM:
    case v1::FINDING_CLASS_HEADER_MISMATCH:
    case v1::FINDING_CLASS_CONTENT_CORRUPT:
    case v1::FINDING_CLASS_APPROVAL_INACTIVE:
    case v1::FINDING_CLASS_VERSION_HIDDEN:
    case v1::FINDING_CLASS_DANGLING:
      return true;
    default:
      return finding.reason() == ReasonName(v1::REASON_CONTENT_SOURCE_GONE);
  }
}

bool IsTransient(v1::FindingClass finding_class) {
  return finding_class == v1::FINDING_CLASS_TRANSIENT_METADATA ||
         finding_class == v1::FINDING_CLASS_TRANSIENT_CONTENT;
}

}  // namespace sluice
