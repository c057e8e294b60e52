#include "upstream/catalog_cleanup.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/file_release.h"

namespace sluice {
namespace {

constexpr size_t kRecordsPerCommit = 500;
constexpr int kTitlesMax = 100;
constexpr size_t kTitlesInAudit = 10;
constexpr int kDaysMax = 3650;

absl::Status CheckRequest(const v1::CleanUpCatalogRequest& request) {
  const bool chosen =
      request.old_revisions() || request.expired() || request.superseded() || request.declined();
  if (!chosen) {
    return InvalidRequest({{"old_revisions", "or expired, superseded or declined must be chosen"}});
  }
  if (request.older_than_days() < 0 || request.older_than_days() > kDaysMax) {
    return InvalidRequest({{"older_than_days", absl::StrCat("must be 0 to ", kDaysMax)}});
  }
  if (request.revisions_max() < 0) return InvalidRequest({{"revisions_max", "is negative"}});
  return absl::OkStatus();
}

size_t RecordsOf(const CleanupVictim& victim) {
  return victim.revisions.size() + victim.followers.size();
}

std::string ChoiceText(const v1::CleanUpCatalogRequest& request) {
  std::vector<absl::string_view> words;
  if (request.old_revisions()) words.push_back("old revisions");
  if (request.expired()) words.push_back("expired");
  if (request.superseded()) words.push_back("superseded");
  if (request.declined()) words.push_back("declined");
  return absl::StrJoin(words, ", ");
}

// What of a planned victim still goes, now that it was judged again.
std::optional<CleanupVictim> StillGoes(const CleanupVictim& planned, CleanupVerdict now) {
  if (!now.victim.has_value()) return std::nullopt;
  CleanupVictim victim = *std::move(now.victim);
  if (planned.whole) return victim.whole ? std::optional(std::move(victim)) : std::nullopt;
  // By now it might go whole; that was not planned.
  victim.whole = false;
  victim.followers.clear();
  std::erase_if(victim.revisions, [&planned](const RecordKey& key) {
    return std::find(planned.revisions.begin(), planned.revisions.end(), key) ==
           planned.revisions.end();
  });
  return victim.revisions.empty() ? std::nullopt : std::optional(std::move(victim));
}

void Count(const CleanupVictim& victim, v1::CleanUpCatalogResponse& response) {
  response.set_revisions_deleted(response.revisions_deleted() +
                                 static_cast<int64_t>(victim.revisions.size()));
  if (victim.whole) response.set_updates_deleted(response.updates_deleted() + 1);
  if (response.titles_size() < kTitlesMax) response.add_titles(victim.title);
}

void Delete(const CleanupVictim& victim, CatalogChange& change) {
  for (const RecordKey& key : victim.followers) change.Delete(key);
  for (const RecordKey& key : victim.revisions) change.Delete(key);
  for (const Digest& file : victim.files) NoteForRelease(file, change);
}

}  // namespace

absl::StatusOr<v1::CleanUpCatalogResponse> CatalogCleanup::Run(
    const v1::CleanUpCatalogRequest& request, absl::Time stop_at, const NoteAudit& note_audit) {
  RETURN_IF_ERROR(CheckRequest(request));
  v1::CleanUpCatalogResponse response;
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(CleanupPlan plan, CleanupPlan::Make(reader, request, clock_.Now()));
  int64_t leased = 0;
  ASSIGN_OR_RETURN(const std::vector<CleanupVictim> victims, plan.JudgeAll(reader, leased));
  response.set_leased(leased);
  if (request.validate_only()) {
    AddPlanned(victims, response);
    return response;
  }
  if (!request.confirmed()) RETURN_IF_ERROR(CheckShare(victims));
  const std::string choice = ChoiceText(request);
  const NoteAudit note = [&](absl::string_view subject, absl::string_view detail,
                             CatalogChange& change) {
    note_audit(subject, absl::StrCat(choice, ": ", detail), change);
  };
  // What an earlier run left behind when its process ended.
  RETURN_IF_ERROR(Release(response));
  for (size_t next = 0; next < victims.size() && clock_.Now() < stop_at;) {
    ASSIGN_OR_RETURN(next, DeleteSome(victims, next, plan, note, response));
    RETURN_IF_ERROR(Release(response));
  }
  return response;
}

absl::Status CatalogCleanup::CheckShare(const std::vector<CleanupVictim>& victims) const {
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, catalog_.Read().Shards());
  uint64_t here = 0;
  uint64_t going = 0;
  for (const ShardInfo& shard : shards) here += shard.fingerprint.count();
  for (const CleanupVictim& victim : victims) going += RecordsOf(victim);
  if (going * 100 <= here * kCleanupGuardPercent) return absl::OkStatus();
  return MakeError(v1::REASON_GUARD_HELD,
                   absl::StrCat(going, " of ", here, " records would be deleted, more than ",
                                kCleanupGuardPercent, " %"));
}

// A file is freed when all that names it goes.
void CatalogCleanup::AddPlanned(const std::vector<CleanupVictim>& victims,
                                v1::CleanUpCatalogResponse& response) const {
  std::set<RecordKey> going;
  std::set<Digest> files;
  for (const CleanupVictim& victim : victims) {
    Count(victim, response);
    going.insert(victim.revisions.begin(), victim.revisions.end());
    files.insert(victim.files.begin(), victim.files.end());
  }
  const CatalogReader reader = catalog_.Read();
  for (const Digest& file : files) {
    const absl::StatusOr<ContentInfo> stored = content_.Stat(file);
    if (!stored.ok()) continue;
    const absl::StatusOr<std::vector<RecordKey>> uses = reader.FileUses(file);
    const bool freed = uses.ok() && std::all_of(uses->begin(), uses->end(), [&](const auto& key) {
                         return going.contains(key);
                       });
    if (!freed) continue;
    response.set_files_freed(response.files_freed() + 1);
    response.set_bytes_freed(response.bytes_freed() + stored->size_bytes);
  }
}

absl::StatusOr<size_t> CatalogCleanup::DeleteSome(const std::vector<CleanupVictim>& victims,
                                                  size_t begin, CleanupPlan& plan,
                                                  const NoteAudit& note_audit,
                                                  v1::CleanUpCatalogResponse& response) {
  size_t end = begin;
  const auto make = [&](const CatalogReader& reader) -> absl::StatusOr<CatalogChange> {
    RETURN_IF_ERROR(plan.Follow(reader, clock_.Now()));
    CatalogChange change;
    size_t records = 0;
    std::vector<std::string> titles;
    for (; end < victims.size() && records < kRecordsPerCommit; ++end) {
      ASSIGN_OR_RETURN(CleanupVerdict verdict, plan.Judge(reader, victims[end].update));
      response.set_leased(response.leased() + verdict.leased);
      const std::optional<CleanupVictim> victim = StillGoes(victims[end], std::move(verdict));
      if (!victim.has_value()) continue;
      Delete(*victim, change);
      Count(*victim, response);
      records += RecordsOf(*victim);
      if (titles.size() < kTitlesInAudit) titles.push_back(victim->title);
    }
    if (records == 0) return change;
    note_audit(absl::StrCat(records, " records"),
               absl::StrCat(absl::StrJoin(titles, "; "),
                            titles.size() < kTitlesInAudit ? "" : " and more"),
               change);
    return change;
  };
  ASSIGN_OR_RETURN(const CommitOutcome outcome, catalog_.CommitMade(make));
  plan.SetSeen(outcome.head_seq);
  response.set_seq(std::max(response.seq(), outcome.head_seq));
  return end;
}

absl::Status CatalogCleanup::Release(v1::CleanUpCatalogResponse& response) {
  ASSIGN_OR_RETURN(const Released released, ReleaseNoted(catalog_, content_));
  response.set_files_freed(response.files_freed() + released.files);
  response.set_bytes_freed(response.bytes_freed() + released.bytes);
  return absl::OkStatus();
}

}  // namespace sluice
