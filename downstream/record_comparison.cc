#include "downstream/record_comparison.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/errors.h"

namespace sluice {
namespace {

// What each side has about one subject: an update's revisions, its policy, a category, a group.
struct Subject {
  std::vector<const ShardMember*> here;
  std::vector<const ShardMember*> upstream;
};

std::set<Digest> DigestsOf(const std::vector<const ShardMember*>& members) {
  std::set<Digest> digests;
  for (const ShardMember* member : members) digests.insert(member->digest);
  return digests;
}

// The number of the newest of them; 0 when there is none.
uint32_t NewestRevision(const std::vector<const ShardMember*>& members) {
  const auto newest = std::max_element(
      members.begin(), members.end(),
      [](const ShardMember* a, const ShardMember* b) { return a->stamp < b->stamp; });
  return newest == members.end() ? 0 : (*newest)->key.revision;
}

bool IsDecision(v1::RecordKind kind) {
  return kind == v1::RECORD_KIND_POLICY || kind == v1::RECORD_KIND_TARGET_GROUP ||
         kind == v1::RECORD_KIND_EXPIRY || kind == v1::RECORD_KIND_SITE;
}

v1::FindingClass ClassOf(const RecordKey& key, const Subject& subject) {
  if (subject.upstream.empty()) return v1::FINDING_CLASS_MISSING_UPSTREAM;
  if (IsDecision(key.kind)) return v1::FINDING_CLASS_DECISION_DIFFERS;
  if (subject.here.empty()) return v1::FINDING_CLASS_MISSING_DOWNSTREAM;
  return v1::FINDING_CLASS_REVISION_DIFFERS;
}

void Explain(v1::Finding& finding) {
  switch (finding.finding_class()) {
    case v1::FINDING_CLASS_MISSING_UPSTREAM:
      finding.set_reason(ReasonName(v1::REASON_ITEM_NOT_FOUND));
      finding.set_cause("this node has it and its upstream does not");
      finding.set_remedy(
          "Let the upstream import or select it again, or decline it there; until then this node "
          "keeps it.");
      return;
    case v1::FINDING_CLASS_DECISION_DIFFERS:
      finding.set_reason(ReasonName(v1::REASON_ITEM_NOT_YET));
      finding.set_cause("the upstream decided otherwise than what is known here");
      finding.set_remedy("Synchronise: sluice sync start.");
      return;
    case v1::FINDING_CLASS_REVISION_DIFFERS:
      finding.set_reason(ReasonName(v1::REASON_ITEM_NOT_YET));
      finding.set_cause("the two nodes hold different revisions of it");
      finding.set_remedy("Synchronise: sluice sync start.");
      return;
    default:
      finding.set_reason(ReasonName(v1::REASON_ITEM_NOT_YET));
      finding.set_cause("the upstream has it, it is in the selection, and it is not here");
      finding.set_remedy("Synchronise: sluice sync start.");
  }
}

}  // namespace

// Kept records of nodes further up are subjects of their own.
RecordKey SubjectOf(const RecordKey& key) {
  RecordKey subject = key;
  subject.revision = 0;
  return subject;
}

std::vector<v1::Finding> CompareMembers(const MemberList& here, const MemberList& upstream) {
  std::map<RecordKey, Subject> subjects;
  for (const ShardMember& member : here) subjects[SubjectOf(member.key)].here.push_back(&member);
  for (const ShardMember& member : upstream) {
    subjects[SubjectOf(member.key)].upstream.push_back(&member);
  }
  std::vector<v1::Finding> findings;
  for (const auto& [key, subject] : subjects) {
    if (DigestsOf(subject.here) == DigestsOf(subject.upstream)) continue;
    v1::Finding finding;
    finding.set_finding_class(ClassOf(key, subject));
    finding.set_kind(key.kind);
    finding.set_id(key.id.ToString());
    finding.set_revision_here(NewestRevision(subject.here));
    finding.set_revision_upstream(NewestRevision(subject.upstream));
    Explain(finding);
    findings.push_back(std::move(finding));
  }
  return findings;
}

v1::Finding KeptFinding(const RecordKey& key) {
  v1::Finding finding;
  finding.set_finding_class(v1::FINDING_CLASS_MISSING_UPSTREAM);
  finding.set_kind(key.kind);
  finding.set_id(key.id.ToString());
  finding.set_revision_here(key.revision);
  Explain(finding);
  finding.set_reason(ReasonName(v1::REASON_EPOCH_CHANGED));
  finding.set_cause("the upstream began a new history, and that does not hold it");
  return finding;
}

}  // namespace sluice
