#include "downstream/parity_check.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/status.h"
#include "downstream/content_check.h"
#include "downstream/counted_peer.h"
#include "downstream/dangling_check.h"
#include "downstream/finding_memory.h"
#include "downstream/from_above.h"
#include "downstream/item_comparison.h"
#include "downstream/shard_keys.h"
#include "downstream/upstream_answers.h"
#include "storage/parity_rows.h"
#include "storage/record_items.h"

namespace sluice {
namespace {

absl::Status AppendMembers(const CatalogReader& reader, const ShardId& shard, MemberList& members) {
  return ForEachMember(reader, {shard}, [&](const ShardId& /*shard*/, const ShardMember& member) {
    members.push_back(member);
  });
}

// What differs between these shards, by items; nothing when that cannot be said exactly.
absl::StatusOr<std::optional<std::vector<Difference>>> CompareByItems(
    const CatalogReader& reader, ParityPeer& peer, const std::vector<ShardId>& here,
    const std::vector<ShardId>& there) {
  ItemComparison comparison(reader, here, there, {.scope = ItemScope::kFact, .brief = true});
  ItemComparison::Next next = comparison.Begin();
  while (next == ItemComparison::Next::kSend || next == ItemComparison::Next::kWait) {
    if (next == ItemComparison::Next::kSend) {
      RETURN_IF_ERROR(peer.Send(comparison.request()));
    }
    ASSIGN_OR_RETURN(const v1::ReconcileResponse response, peer.Receive());
    ASSIGN_OR_RETURN(next, comparison.Take(response));
  }
  if (next == ItemComparison::Next::kGiveUp) return std::optional<std::vector<Difference>>();

  // What both sides have about the same subjects says how they differ.
  absl::flat_hash_set<RecordKey> only_here;
  absl::flat_hash_set<RecordKey> subjects;
  MemberList upstream_members;
  for (const auto& [shard, member] : comparison.only_here()) {
    only_here.insert(member.key);
    subjects.insert(SubjectOf(member.key));
  }
  for (const auto& [shard, member] : comparison.only_there()) {
    upstream_members.push_back(member);
    subjects.insert(SubjectOf(member.key));
  }
  MemberList members;
  if (!subjects.empty()) {
    RETURN_IF_ERROR(
        ForEachMember(reader, here, [&](const ShardId& /*shard*/, const ShardMember& member) {
          if (!subjects.contains(SubjectOf(member.key))) return;
          members.push_back(member);
          if (!only_here.contains(member.key)) upstream_members.push_back(member);
        }));
  }
  return std::optional(CompareMembers(members, upstream_members));
}

absl::Status AddTitles(const CatalogReader& reader, std::vector<v1::Finding>& findings) {
  for (v1::Finding& finding : findings) {
    if (!finding.title().empty() || finding.kind() == v1::RECORD_KIND_CATEGORY) continue;
    ASSIGN_OR_RETURN(const Uuid id, Uuid::Parse(finding.id()));
    const absl::StatusOr<RecordColumns> update = reader.CurrentRevision(id);
    if (update.ok()) finding.set_title(update->header.title());
  }
  return absl::OkStatus();
}

}  // namespace

ParityCheck::ParityCheck(Catalog& catalog, ContentStore& content, Clock& clock)
    : catalog_(catalog), content_(content), clock_(clock) {}

bool ParityCheck::Counts(const v1::ShardDefinition& shard, const Options& options) const {
  if (shard.stream() == v1::STREAM_KIND_SITE) return false;
  // It decides itself.
  const bool own_policy =
      shard.stream() == v1::STREAM_KIND_POLICY && options.mode == v1::NODE_MODE_AUTONOMOUS;
  return !own_policy && shard.kept_by() != catalog_.node_id().view();
}

absl::StatusOr<v1::CheckSummary> ParityCheck::Run(
    ParityPeer& upstream, const Options& options,
    const std::function<void(const v1::Finding&)>& found) {
  CountedPeer peer(upstream);
  v1::CheckSummary summary;
  summary.set_trigger(options.trigger);
  ASSIGN_OR_RETURN(const v1::HelloResponse hello, peer.Hello());
  ASSIGN_OR_RETURN(const Uuid upstream_id, Uuid::FromBytes(hello.node_id()));
  summary.set_upstream_id(upstream_id.ToString());
  summary.set_upstream_name(hello.node_name());
  *summary.mutable_upstream_epoch() = hello.epoch();

  const CatalogReader reader = catalog_.Read();
  std::vector<Difference> differences;
  RETURN_IF_ERROR(CompareRecords(reader, peer, options, summary, differences));
  RETURN_IF_ERROR(ListKept(reader, differences));
  ASSIGN_OR_RETURN(std::vector<v1::Finding> findings,
                   UpstreamAnswers(reader, peer, hello).Refine(std::move(differences)));

  RETURN_IF_ERROR(LookInside(reader, peer, options, summary, findings));
  RETURN_IF_ERROR(AddTitles(reader, findings));
  summary.set_wire_bytes(peer.bytes());

  CatalogChange change;
  RETURN_IF_ERROR(Remember(reader, {clock_.Now(), options.wanted_at}, summary, findings, change));
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  for (const v1::Finding& finding : findings) found(finding);
  return summary;
}

// What concerns this node alone. What only a thorough check finds is looked at again until it is
// mended, so that the next ordinary one does not forget it.
absl::Status ParityCheck::LookInside(const CatalogReader& reader, ParityPeer& peer,
                                     const Options& options, v1::CheckSummary& summary,
                                     std::vector<v1::Finding>& findings) {
  ContentCheck::Verify verify = {.all = options.thorough, .these = {}};
  std::set<Uuid> dangling;
  ASSIGN_OR_RETURN(const auto known, ReadFindingRows(reader));
  for (const auto& [key, finding] : known) {
    if (finding.finding_class() == v1::FINDING_CLASS_CONTENT_CORRUPT) {
      ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(finding.sha256()));
      verify.these.insert(digest);
    } else if (finding.finding_class() == v1::FINDING_CLASS_DANGLING) {
      ASSIGN_OR_RETURN(const Uuid id, Uuid::Parse(finding.id()));
      dangling.insert(id);
    }
  }
  ContentCheck content(reader, content_, peer);
  RETURN_IF_ERROR(content.Run(verify));
  // An approval is not inactive because its update is still on its way.
  std::set<std::string> coming;
  for (const v1::Finding& finding : findings) {
    if (finding.finding_class() == v1::FINDING_CLASS_MISSING_DOWNSTREAM)
      coming.insert(finding.id());
  }
  for (const v1::Finding& finding : content.findings()) {
    const bool waits = finding.finding_class() == v1::FINDING_CLASS_APPROVAL_INACTIVE &&
                       coming.contains(finding.id());
    if (!waits) findings.push_back(finding);
  }
  summary.set_files_checked(content.files_checked());
  if (options.thorough) return FindDangling(reader, content.dangling(), findings);
  for (const Uuid& id : dangling) {
    if (content.dangling().contains(id)) continue;
    ASSIGN_OR_RETURN(std::optional<v1::Finding> finding, DanglingOf(reader, id));
    if (finding.has_value()) findings.push_back(*std::move(finding));
  }
  return absl::OkStatus();
}

absl::Status ParityCheck::CompareRecords(const CatalogReader& reader, ParityPeer& peer,
                                         const Options& options, v1::CheckSummary& summary,
                                         std::vector<Difference>& differences) {
  absl::flat_hash_map<ShardId, Fingerprint> ours;
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  Fingerprint total_here;
  for (const ShardInfo& shard : shards) {
    if (!Counts(shard.definition, options) || !ComesFromAbove(catalog_, shard.definition)) {
      continue;
    }
    ours.emplace(shard.id, shard.fingerprint);
    total_here.Add(shard.fingerprint);
  }
  ASSIGN_OR_RETURN(const v1::ReconcileSums sums, peer.Sums());
  std::vector<ShardId> differing;
  Fingerprint total_upstream;
  int64_t compared = 0;
  for (const v1::ShardSum& sum : sums.shards()) {
    if (!Counts(sum.definition(), options) || !ComesFromAbove(catalog_, sum.definition())) {
      continue;
    }
    ++compared;
    const ShardId id = ShardId::Of(sum.definition());
    ASSIGN_OR_RETURN(const Fingerprint theirs, Fingerprint::FromProto(sum.fingerprint()));
    total_upstream.Add(theirs);
    const auto found = ours.find(id);
    if (found == ours.end() || !(found->second == theirs)) differing.push_back(id);
    if (found != ours.end()) ours.erase(found);
  }
  summary.set_shards_compared(compared + static_cast<int64_t>(ours.size()));

  // Shards that only this node has differ too.
  std::vector<ShardId> differing_here = differing;
  for (const auto& [id, unused] : ours) differing_here.push_back(id);
  summary.set_shards_differing(static_cast<int64_t>(differing_here.size()));
  summary.set_records_here(static_cast<int64_t>(total_here.count()));
  summary.set_records_upstream(static_cast<int64_t>(total_upstream.count()));

  if (sums.symbols() && !differing.empty()) {
    ASSIGN_OR_RETURN(std::optional<std::vector<Difference>> found,
                     CompareByItems(reader, peer, differing_here, differing));
    if (found.has_value()) {
      differences = *std::move(found);
      return absl::OkStatus();
    }
  }
  ASSIGN_OR_RETURN(const MemberList upstream_members, AskShardKeys(peer, differing));
  MemberList members;
  for (const ShardId& id : differing_here) RETURN_IF_ERROR(AppendMembers(reader, id, members));
  differences = CompareMembers(members, upstream_members);
  return absl::OkStatus();
}

absl::Status ParityCheck::ListKept(const CatalogReader& reader,
                                   std::vector<Difference>& differences) {
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  for (const ShardInfo& shard : shards) {
    if (shard.definition.kept_by() != catalog_.node_id().view()) continue;
    MemberList members;
    RETURN_IF_ERROR(AppendMembers(reader, shard.id, members));
    for (const ShardMember& member : members) differences.push_back(KeptDifference(member));
  }
  return absl::OkStatus();
}

}  // namespace sluice
