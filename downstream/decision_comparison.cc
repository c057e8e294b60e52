#include "downstream/decision_comparison.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "downstream/finding_words.h"
#include "storage/decisions.h"
#include "storage/payload.h"

namespace sluice {
namespace {

// Groups that a cause names.
constexpr size_t kNamedMax = 5;

// One decision as both sides have it.
struct Pair {
  const v1::DecisionEntry* here = nullptr;
  const v1::DecisionEntry* upstream = nullptr;
};

// None: absent, cleared or unreadable, so not in force.
std::optional<v1::Decision> InForce(const v1::DecisionEntry* entry) {
  if (entry == nullptr) return std::nullopt;
  absl::StatusOr<v1::Decision> decision = UnpackDecision(*entry);
  if (!decision.ok() || decision->cleared()) return std::nullopt;
  return *std::move(decision);
}

v1::FindingClass ClassOfApproval(const Pair& pair) {
  const std::optional<v1::Decision> here = InForce(pair.here);
  const std::optional<v1::Decision> upstream = InForce(pair.upstream);
  if (upstream.has_value() && !here.has_value()) return v1::FINDING_CLASS_APPROVAL_MISSING;
  if (here.has_value() && !upstream.has_value()) return v1::FINDING_CLASS_APPROVAL_EXTRA;
  if (here.has_value() && here->revision_digest() != upstream->revision_digest()) {
    return v1::FINDING_CLASS_APPROVAL_STALE_REVISION;
  }
  return v1::FINDING_CLASS_DECISION_DIFFERS;
}

v1::FindingClass ClassOf(const std::string& key, const Pair& pair) {
  if (key == kDeclineKey) return v1::FINDING_CLASS_DECLINE_MISMATCH;
  if (key == kLicenceKey) return v1::FINDING_CLASS_LICENCE_MISMATCH;
  if (GroupOfDecisionKey(key).has_value()) return ClassOfApproval(pair);
  return v1::FINDING_CLASS_DECISION_DIFFERS;
}

bool Same(const Pair& pair) {
  return pair.here != nullptr && pair.upstream != nullptr &&
         pair.here->digest() == pair.upstream->digest();
}

// As "(for 2 groups: 6f..., 7a...)"; for what is not for groups nothing.
std::string GroupsText(const std::vector<std::string>& keys) {
  std::vector<std::string> groups;
  size_t all = 0;
  for (const std::string& key : keys) {
    const std::optional<Uuid> group = GroupOfDecisionKey(key);
    if (group.has_value() && ++all <= kNamedMax) groups.push_back(group->ToString());
  }
  if (all == 0) return "";
  return absl::StrCat(" (for ", all,
                      all == 1 ? " group: " : " groups: ", absl::StrJoin(groups, ", "),
                      all > kNamedMax ? ", ..." : "", ")");
}

}  // namespace

std::vector<v1::Finding> CompareDecisions(const v1::Finding& policy, const DecisionList& here,
                                          const DecisionList& upstream) {
  std::map<std::string, Pair> pairs;
  for (const v1::DecisionEntry& entry : here) pairs[entry.key()].here = &entry;
  for (const v1::DecisionEntry& entry : upstream) pairs[entry.key()].upstream = &entry;
  std::map<v1::FindingClass, std::vector<std::string>> by_class;
  for (const auto& [key, pair] : pairs) {
    if (!Same(pair)) by_class[ClassOf(key, pair)].push_back(key);
  }
  std::vector<v1::Finding> findings;
  for (const auto& [finding_class, keys] : by_class) {
    v1::Finding& finding = findings.emplace_back(policy);
    Reclassify(finding, finding_class);
    absl::StrAppend(finding.mutable_cause(), GroupsText(keys));
  }
  return findings;
}

}  // namespace sluice
