#include "upstream/cleanup_plan.h"

#include <algorithm>
#include <utility>

#include "common/status.h"
#include "storage/payload.h"
#include "upstream/supersedence.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;
constexpr int kChangesPerRead = 512;
constexpr int kDaysDefault = 30;

bool IsApproval(const StandingDecision& standing) {
  return GroupOfDecisionKey(standing.decision.key()).has_value();
}

bool IsNamed(const UpdateStanding& standing, const RecordKey& revision) {
  return std::any_of(standing.decisions.begin(), standing.decisions.end(),
                     [&revision](const StandingDecision& decision) {
                       return IsApproval(decision) && decision.revision == revision;
                     });
}

absl::Status AddRevision(const RecordColumns& revision, CleanupVictim& victim) {
  victim.revisions.push_back(revision.key);
  for (const stored::v1::FileReference& file : revision.header.files()) {
    ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
    victim.files.push_back(digest);
  }
  return absl::OkStatus();
}

// The record's seq here; none: there is no such record.
absl::StatusOr<std::optional<uint64_t>> SeqOf(const CatalogReader& reader, const RecordKey& key) {
  const absl::StatusOr<RecordColumns> columns = reader.GetColumns(key);
  if (absl::IsNotFound(columns.status())) return std::optional<uint64_t>();
  RETURN_IF_ERROR(columns.status());
  return std::optional<uint64_t>(columns->header.seq());
}

RecordKey PolicyOf(const Uuid& update) { return {v1::RECORD_KIND_POLICY, update, 0, {}}; }

}  // namespace

absl::StatusOr<CleanupPlan> CleanupPlan::Make(const CatalogReader& reader,
                                              const v1::CleanUpCatalogRequest& request,
                                              absl::Time now) {
  CleanupPlan plan(request);
  const int days = request.has_older_than_days() ? request.older_than_days() : kDaysDefault;
  plan.unchanged_since_ = days == 0 ? absl::InfiniteFuture() : now - absl::Hours(24 * days);
  ASSIGN_OR_RETURN(plan.times_, SeqTimes::Read(reader));
  ASSIGN_OR_RETURN(plan.leases_, LeaseBook::Read(reader, now));
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  plan.seen_seq_ = state.head_seq();
  RETURN_IF_ERROR(plan.ReadDecisions(reader));
  if (request.superseded()) {
    ASSIGN_OR_RETURN(plan.superseded_, SupersededBy(reader, plan.approved_));
  }
  RETURN_IF_ERROR(plan.CollectCandidates(reader));
  if (plan.candidates_.empty()) return plan;
  for (const Uuid& update : plan.approved_) RETURN_IF_ERROR(plan.AddNeedsOf(reader, update));
  return plan;
}

absl::Status CleanupPlan::ReadDecisions(const CatalogReader& reader) {
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                     reader.List(v1::RECORD_KIND_POLICY, after, kPage));
    for (const RecordColumns& policy : policies) {
      bool approved = false;
      for (const v1::DecisionEntry& entry : policy.header.decisions()) {
        ASSIGN_OR_RETURN(const v1::Decision decision, UnpackDecision(entry));
        if (decision.cleared()) continue;
        if (decision.key() == kDeclineKey) declined_.insert(policy.key.id);
        approved |= GroupOfDecisionKey(decision.key()).has_value();
      }
      if (approved) approved_.insert(policy.key.id);
    }
    if (policies.size() < kPage) break;
    after = policies.back().key.Encode();
  }
  for (const Uuid& update : declined_) approved_.erase(update);
  return absl::OkStatus();
}

absl::Status CleanupPlan::CollectCandidates(const CatalogReader& reader) {
  if (request_.declined()) candidates_ = declined_;
  for (const auto& [update, by] : superseded_) candidates_.insert(update);
  for (std::string after; request_.expired();) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> expiries,
                     reader.List(v1::RECORD_KIND_EXPIRY, after, kPage));
    for (const RecordColumns& expiry : expiries) candidates_.insert(expiry.key.id);
    if (expiries.size() < kPage) break;
    after = expiries.back().key.Encode();
  }
  if (!request_.old_revisions()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<Uuid> revised, reader.RevisedUpdates());
  candidates_.insert(revised.begin(), revised.end());
  return absl::OkStatus();
}

absl::Status CleanupPlan::AddNeedsOf(const CatalogReader& reader, const Uuid& approved) {
  ASSIGN_OR_RETURN(const Selection everything, Selection::Expand(reader, {}));
  ASSIGN_OR_RETURN(const WantedFiles wanted, FilesWantedFor(reader, approved, everything));
  needed_.insert(wanted.needed.begin(), wanted.needed.end());
  return absl::OkStatus();
}

absl::Status CleanupPlan::Follow(const CatalogReader& reader, absl::Time now) {
  ASSIGN_OR_RETURN(leases_, LeaseBook::Read(reader, now));
  const auto all = [](const ShardId&, absl::string_view) { return true; };
  for (bool at_head = false; !at_head;) {
    ASSIGN_OR_RETURN(const CatalogReader::LogSlice slice,
                     reader.ReadLog(seen_seq_, all, kChangesPerRead, kChangesPerRead));
    for (const LoggedChange& change : slice.changes) {
      if (change.left || change.key.kind == v1::RECORD_KIND_CATEGORY) continue;
      if (change.key.kind == v1::RECORD_KIND_POLICY || approved_.contains(change.key.id)) {
        RETURN_IF_ERROR(AddNeedsOf(reader, change.key.id));
      }
    }
    seen_seq_ = slice.scanned_to;
    at_head = slice.at_head;
  }
  return absl::OkStatus();
}

bool CleanupPlan::IsOldEnough(uint64_t seq) const {
  return unchanged_since_ == absl::InfiniteFuture() || times_.MadeBy(seq) <= unchanged_since_;
}

// Raises `since_seq` to that of the last change of what makes it go.
absl::StatusOr<bool> CleanupPlan::GoesWhole(const CatalogReader& reader,
                                            const UpdateStanding& standing, const Uuid& update,
                                            uint64_t& since_seq) const {
  if (needed_.contains(update)) return false;
  if (request_.declined() && standing.declined()) return true;
  if (std::any_of(standing.decisions.begin(), standing.decisions.end(), IsApproval)) return false;
  if (request_.expired() && standing.expiry.has_value()) return true;
  const auto by = superseded_.find(update);
  if (!request_.superseded() || by == superseded_.end()) return false;
  ASSIGN_OR_RETURN(const UpdateStanding newer, StandingOf(reader, by->second));
  if (!newer.approved()) return false;
  ASSIGN_OR_RETURN(const std::optional<uint64_t> approved, SeqOf(reader, PolicyOf(by->second)));
  since_seq = std::max(since_seq, approved.value_or(0));
  return true;
}

absl::StatusOr<CleanupVerdict> CleanupPlan::Judge(const CatalogReader& reader,
                                                  const Uuid& update) const {
  CleanupVerdict verdict;
  ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, update));
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(update));
  if (revisions.empty()) return verdict;
  CleanupVictim victim;
  victim.update = update;
  victim.title = standing.current->header.title();
  ASSIGN_OR_RETURN(victim.whole, GoesWhole(reader, standing, update, victim.since_seq));
  if (victim.whole) {
    for (const RecordColumns& revision : revisions) {
      RETURN_IF_ERROR(AddRevision(revision, victim));
      victim.since_seq = std::max(victim.since_seq, revision.header.seq());
    }
    for (const RecordKey& key :
         {PolicyOf(update), RecordKey{v1::RECORD_KIND_EXPIRY, update, 0, {}}}) {
      ASSIGN_OR_RETURN(const std::optional<uint64_t> seq, SeqOf(reader, key));
      if (!seq.has_value()) continue;
      victim.followers.push_back(key);
      victim.since_seq = std::max(victim.since_seq, *seq);
    }
    victim.whole = IsOldEnough(victim.since_seq);
    if (!victim.whole) victim = {.update = update, .title = std::move(victim.title)};
  }
  if (!victim.whole && request_.old_revisions()) {
    // A revision is old since the next one came.
    for (size_t i = 0; i + 1 < revisions.size(); ++i) {
      const uint64_t replaced = revisions[i + 1].header.seq();
      if (IsNamed(standing, revisions[i].key) || !IsOldEnough(replaced)) continue;
      RETURN_IF_ERROR(AddRevision(revisions[i], victim));
      victim.since_seq = std::max(victim.since_seq, replaced);
    }
  }
  if (victim.revisions.empty()) return verdict;
  if (leases_.Holds(update)) {
    verdict.leased = static_cast<int64_t>(victim.revisions.size());
  } else {
    verdict.victim = std::move(victim);
  }
  return verdict;
}

absl::StatusOr<std::vector<CleanupVictim>> CleanupPlan::JudgeAll(const CatalogReader& reader,
                                                                 int64_t& leased) {
  std::vector<CleanupVictim> victims;
  for (const Uuid& update : candidates_) {
    ASSIGN_OR_RETURN(CleanupVerdict verdict, Judge(reader, update));
    leased += verdict.leased;
    if (verdict.victim.has_value()) victims.push_back(*std::move(verdict.victim));
  }
  std::stable_sort(
      victims.begin(), victims.end(),
      [](const CleanupVictim& a, const CleanupVictim& b) { return a.since_seq < b.since_seq; });
  if (request_.revisions_max() == 0) return victims;
  auto room = static_cast<size_t>(request_.revisions_max());
  auto kept = victims.begin();
  for (CleanupVictim& victim : victims) {
    if (!victim.whole && victim.revisions.size() > room) victim.revisions.resize(room);
    if (victim.revisions.size() > room || victim.revisions.empty()) break;
    room -= victim.revisions.size();
    if (&*kept != &victim) *kept = std::move(victim);
    ++kept;
  }
  victims.erase(kept, victims.end());
  return victims;
}

}  // namespace sluice
