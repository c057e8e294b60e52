#include "downstream/parity_check.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/from_above.h"
#include "downstream/item_comparison.h"
#include "downstream/record_comparison.h"
#include "google/protobuf/util/time_util.h"
#include "storage/decisions.h"
#include "storage/record_items.h"
#include "storage/selection.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;
constexpr int kFindingsMax = 1'000'000;

absl::Status AppendMembers(const CatalogReader& reader, const ShardId& shard, MemberList& members) {
  return ForEachMember(reader, {shard}, [&](const ShardId& /*shard*/, const ShardMember& member) {
    members.push_back(member);
  });
}

absl::Status AppendMembers(const v1::ShardKeys& keys, MemberList& members) {
  for (const v1::KeyDigest& entry : keys.records()) {
    ShardMember member;
    ASSIGN_OR_RETURN(member.key, RecordKey::FromProto(entry.key()));
    ASSIGN_OR_RETURN(member.digest, Digest::FromBytes(entry.digest()));
    ASSIGN_OR_RETURN(member.stamp, Stamp::FromProto(entry.stamp()));
    members.push_back(std::move(member));
  }
  return absl::OkStatus();
}

// What differs between these shards, by items; nothing when that cannot be said exactly.
absl::StatusOr<std::optional<std::vector<v1::Finding>>> CompareByItems(
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
  if (next == ItemComparison::Next::kGiveUp) return std::optional<std::vector<v1::Finding>>();

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

// What tells a finding apart from all others, as the key of its row.
std::string RowKey(const v1::Finding& finding) {
  return absl::StrCat(finding.finding_class(), "/", finding.kind(), "/", finding.id(), "/",
                      finding.sha256());
}

v1::Finding ContentFinding(v1::FindingClass finding_class, const RecordColumns& update,
                           const Digest& digest, v1::Reason reason, absl::string_view detail) {
  v1::Finding finding;
  finding.set_finding_class(finding_class);
  finding.set_kind(v1::RECORD_KIND_REVISION);
  finding.set_id(update.key.id.ToString());
  finding.set_title(update.header.title());
  finding.set_revision_here(update.key.revision);
  finding.set_sha256(digest.ToHex());
  finding.set_reason(ReasonName(reason));
  finding.set_cause(std::string(detail.empty() ? FactsOf(reason).cause : detail));
  finding.set_remedy(std::string(FactsOf(reason).remedy));
  return finding;
}

}  // namespace

ParityCheck::ParityCheck(Catalog& catalog, ContentStore& content, Clock& clock)
    : catalog_(catalog), content_(content), clock_(clock) {}

absl::StatusOr<v1::CheckSummary> ParityCheck::Run(
    ParityPeer& peer, const v1::CheckRequest& request,
    const std::function<void(const v1::Finding&)>& found) {
  v1::CheckSummary summary;
  ASSIGN_OR_RETURN(const v1::HelloResponse hello, peer.Hello());
  ASSIGN_OR_RETURN(const Uuid upstream_id, Uuid::FromBytes(hello.node_id()));
  summary.set_upstream_id(upstream_id.ToString());
  summary.set_upstream_name(hello.node_name());
  *summary.mutable_upstream_epoch() = hello.epoch();

  const CatalogReader reader = catalog_.Read();
  std::vector<v1::Finding> findings;
  RETURN_IF_ERROR(CompareRecords(reader, peer, summary, findings));
  RETURN_IF_ERROR(ListKept(reader, findings));
  RETURN_IF_ERROR(CheckContent(reader, request.verify_content(), summary, findings));
  RETURN_IF_ERROR(Remember(reader, findings));

  std::vector<int64_t> by_class(v1::FindingClass_ARRAYSIZE, 0);
  for (v1::Finding& finding : findings) {
    if (finding.title().empty() && finding.kind() != v1::RECORD_KIND_CATEGORY) {
      ASSIGN_OR_RETURN(const Uuid id, Uuid::Parse(finding.id()));
      const absl::StatusOr<RecordColumns> update = reader.CurrentRevision(id);
      if (update.ok()) finding.set_title(update->header.title());
    }
    ++by_class[static_cast<size_t>(finding.finding_class())];
    found(finding);
  }
  summary.mutable_findings_by_class()->Add(by_class.begin(), by_class.end());
  summary.set_findings(static_cast<int64_t>(findings.size()));
  summary.set_in_parity(findings.empty());
  summary.set_wire_bytes(peer.wire_bytes());
  *summary.mutable_checked_at() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  return summary;
}

absl::Status ParityCheck::CompareRecords(const CatalogReader& reader, ParityPeer& peer,
                                         v1::CheckSummary& summary,
                                         std::vector<v1::Finding>& findings) {
  absl::flat_hash_map<ShardId, Fingerprint> ours;
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  Fingerprint total_here;
  for (const ShardInfo& shard : shards) {
    if (!ComesFromAbove(catalog_, shard.definition)) continue;
    ours.emplace(shard.id, shard.fingerprint);
    total_here.Add(shard.fingerprint);
  }
  ASSIGN_OR_RETURN(const v1::ReconcileSums sums, peer.Sums());
  std::vector<ShardId> differing;
  Fingerprint total_upstream;
  for (const v1::ShardSum& sum : sums.shards()) {
    if (!ComesFromAbove(catalog_, sum.definition())) continue;
    const ShardId id = ShardId::Of(sum.definition());
    ASSIGN_OR_RETURN(const Fingerprint theirs, Fingerprint::FromProto(sum.fingerprint()));
    total_upstream.Add(theirs);
    const auto found = ours.find(id);
    if (found == ours.end() || !(found->second == theirs)) differing.push_back(id);
    if (found != ours.end()) ours.erase(found);
  }
  summary.set_shards_compared(sums.shards_size() + static_cast<int64_t>(ours.size()));

  // Shards that only this node has differ too.
  std::vector<ShardId> differing_here = differing;
  for (const auto& [id, unused] : ours) differing_here.push_back(id);
  summary.set_shards_differing(static_cast<int64_t>(differing_here.size()));
  summary.set_records_here(static_cast<int64_t>(total_here.count()));
  summary.set_records_upstream(static_cast<int64_t>(total_upstream.count()));

  if (sums.symbols() && !differing.empty()) {
    ASSIGN_OR_RETURN(std::optional<std::vector<v1::Finding>> found,
                     CompareByItems(reader, peer, differing_here, differing));
    if (found.has_value()) {
      findings = *std::move(found);
      return absl::OkStatus();
    }
  }
  MemberList upstream_members;
  if (!differing.empty()) {
    ASSIGN_OR_RETURN(const std::vector<v1::ShardKeys> keys, peer.Keys(differing));
    for (const v1::ShardKeys& part : keys) RETURN_IF_ERROR(AppendMembers(part, upstream_members));
  }
  MemberList members;
  for (const ShardId& id : differing_here) RETURN_IF_ERROR(AppendMembers(reader, id, members));
  findings = CompareMembers(members, upstream_members);
  return absl::OkStatus();
}

absl::Status ParityCheck::ListKept(const CatalogReader& reader,
                                   std::vector<v1::Finding>& findings) {
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  for (const ShardInfo& shard : shards) {
    if (shard.definition.kept_by() != catalog_.node_id().view()) continue;
    MemberList members;
    RETURN_IF_ERROR(AppendMembers(reader, shard.id, members));
    for (const ShardMember& member : members) findings.push_back(KeptFinding(member.key));
  }
  return absl::OkStatus();
}

absl::Status ParityCheck::CheckContent(const CatalogReader& reader, bool verify,
                                       v1::CheckSummary& summary,
                                       std::vector<v1::Finding>& findings) {
  ASSIGN_OR_RETURN(const v1::Subscription subscription, ReadSubscription(reader));
  ASSIGN_OR_RETURN(const Selection selection, Selection::Expand(reader, subscription));
  std::set<std::string> checked;
  std::string after;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                     reader.List(v1::RECORD_KIND_POLICY, after, kPage));
    if (policies.empty()) break;
    after = policies.back().key.Encode();
    for (const RecordColumns& policy : policies) {
      ASSIGN_OR_RETURN(const WantedFiles wanted, FilesWantedFor(reader, policy.key.id, selection));
      for (const stored::v1::FileReference& file : wanted.files) {
        if (!checked.insert(file.sha256()).second) continue;
        RETURN_IF_ERROR(CheckFile(reader, policy.key.id, file, verify, findings));
      }
    }
  }
  summary.set_files_checked(static_cast<int64_t>(checked.size()));
  return absl::OkStatus();
}

absl::Status ParityCheck::CheckFile(const CatalogReader& reader, const Uuid& update_id,
                                    const stored::v1::FileReference& file, bool verify,
                                    std::vector<v1::Finding>& findings) {
  ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
  ASSIGN_OR_RETURN(const RecordColumns update, reader.CurrentRevision(update_id));
  const absl::StatusOr<ContentInfo> info = content_.Stat(digest);
  if (!info.ok()) {
    const absl::StatusOr<stored::v1::ContentRow> row =
        reader.GetRow<stored::v1::ContentRow>(Family::kContent, digest.view());
    findings.push_back(ContentFinding(v1::FINDING_CLASS_CONTENT_MISSING, update, digest,
                                      v1::REASON_CONTENT_MISSING,
                                      row.ok() ? row->last_failure().message() : ""));
    return absl::OkStatus();
  }
  const bool whole = info->size_bytes == file.size_bytes();
  const absl::Status intact = whole && verify ? content_.Verify(digest) : absl::OkStatus();
  if (!whole || !intact.ok()) {
    findings.push_back(ContentFinding(v1::FINDING_CLASS_CONTENT_CORRUPT, update, digest,
                                      v1::REASON_CONTENT_CORRUPT, intact.message()));
  }
  return absl::OkStatus();
}

absl::Status ParityCheck::Remember(const CatalogReader& reader,
                                   std::vector<v1::Finding>& findings) {
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<v1::Finding>(Family::kFindings, "", "", kFindingsMax));
  absl::flat_hash_map<std::string, v1::Finding> before(rows.begin(), rows.end());
  const google::protobuf::Timestamp now =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  CatalogChange change;
  for (v1::Finding& finding : findings) {
    const std::string key = RowKey(finding);
    const auto known = before.find(key);
    if (known == before.end()) {
      *finding.mutable_first_seen() = now;
      change.PutRow(Family::kFindings, key, finding);
    } else {
      *finding.mutable_first_seen() = known->second.first_seen();
      before.erase(known);
    }
  }
  for (const auto& [key, unused] : before) change.DeleteRow(Family::kFindings, key);
  if (change.empty()) return absl::OkStatus();
  return catalog_.Commit(change).status();
}

}  // namespace sluice
