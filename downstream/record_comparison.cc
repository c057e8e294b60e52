#include "downstream/record_comparison.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/errors.h"
#include "downstream/finding_words.h"

namespace sluice {
namespace {

std::set<Digest> DigestsOf(const MemberList& members) {
  std::set<Digest> digests;
  for (const ShardMember& member : members) digests.insert(member.digest);
  return digests;
}

void SortByAge(MemberList& members) {
  std::stable_sort(members.begin(), members.end(),
                   [](const ShardMember& a, const ShardMember& b) { return a.stamp < b.stamp; });
}

// The number of the newest of them; 0 when there is none.
uint32_t NewestRevision(const MemberList& members) {
  return members.empty() ? 0 : members.back().key.revision;
}

// Whether one number stands for different revisions.
bool NumbersClash(const Difference& difference) {
  const std::set<Digest> here = DigestsOf(difference.here);
  const std::set<Digest> there = DigestsOf(difference.upstream);
  for (const ShardMember& ours : difference.here) {
    if (there.contains(ours.digest)) continue;
    for (const ShardMember& theirs : difference.upstream) {
      if (theirs.key == ours.key && !here.contains(theirs.digest)) return true;
    }
  }
  return false;
}

v1::FindingClass ClassOf(const RecordKey& key, const Difference& difference) {
  if (key.kind == v1::RECORD_KIND_TARGET_GROUP) return v1::FINDING_CLASS_GROUP_MISMATCH;
  if (difference.upstream.empty()) return v1::FINDING_CLASS_MISSING_UPSTREAM;
  const bool decision = key.kind == v1::RECORD_KIND_POLICY || key.kind == v1::RECORD_KIND_EXPIRY ||
                        key.kind == v1::RECORD_KIND_SITE;
  if (decision) return v1::FINDING_CLASS_DECISION_DIFFERS;
  if (difference.here.empty()) return v1::FINDING_CLASS_MISSING_DOWNSTREAM;
  const bool clash = key.kind == v1::RECORD_KIND_REVISION && NumbersClash(difference);
  return clash ? v1::FINDING_CLASS_HEADER_MISMATCH : v1::FINDING_CLASS_REVISION_DIFFERS;
}

}  // namespace

// Kept records of nodes further up are subjects of their own.
RecordKey SubjectOf(const RecordKey& key) {
  RecordKey subject = key;
  subject.revision = 0;
  return subject;
}

std::vector<Difference> CompareMembers(const MemberList& here, const MemberList& upstream) {
  std::map<RecordKey, Difference> subjects;
  for (const ShardMember& member : here) subjects[SubjectOf(member.key)].here.push_back(member);
  for (const ShardMember& member : upstream) {
    subjects[SubjectOf(member.key)].upstream.push_back(member);
  }
  std::vector<Difference> differences;
  for (auto& [key, difference] : subjects) {
    if (DigestsOf(difference.here) == DigestsOf(difference.upstream)) continue;
    SortByAge(difference.here);
    SortByAge(difference.upstream);
    v1::Finding& finding = difference.finding;
    finding.set_finding_class(ClassOf(key, difference));
    finding.set_kind(key.kind);
    finding.set_id(key.id.ToString());
    finding.set_revision_here(NewestRevision(difference.here));
    finding.set_revision_upstream(NewestRevision(difference.upstream));
    Explain(finding);
    differences.push_back(std::move(difference));
  }
  return differences;
}

Difference KeptDifference(const ShardMember& member) {
  Difference difference;
  difference.kept = true;
  difference.here = {member};
  v1::Finding& finding = difference.finding;
  finding.set_finding_class(v1::FINDING_CLASS_MISSING_UPSTREAM);
  finding.set_kind(member.key.kind);
  finding.set_id(member.key.id.ToString());
  finding.set_revision_here(member.key.revision);
  finding.set_reason(ReasonName(v1::REASON_EPOCH_CHANGED));
  finding.set_cause("the upstream began a new history, and that does not hold it");
  Explain(finding);
  return difference;
}

}  // namespace sluice
