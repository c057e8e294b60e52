#include "storage/selection_difference.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/status.h"
#include "storage/decisions.h"
#include "storage/picked_records.h"
#include "storage/record_items.h"
#include "storage/site_notices.h"

namespace sluice {
namespace {

constexpr int kTitlesMax = 100;
// Of more updates the shards that both take are read rather than each update looked up.
constexpr size_t kLookUpMax = 20'000;

// Which of the two selections takes an update.
struct Taken {
  bool before = false;
  bool after = false;
};
using TakenUpdates = absl::flat_hash_map<Uuid, Taken>;

// Shards of updates, by which of the two takes them.
struct ComparedShards {
  std::vector<std::pair<ShardId, Taken>> differing;
  std::vector<ShardId> both;
};

absl::StatusOr<ComparedShards> CompareShards(const CatalogReader& reader, const Selection& before,
                                             const Selection& after, const Uuid& excluded_keeper) {
  ComparedShards compared;
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  for (const ShardInfo& shard : shards) {
    const bool updates =
        shard.definition.stream() == v1::STREAM_KIND_CATALOG && !shard.definition.always();
    if (!updates || shard.definition.kept_by() == excluded_keeper.view()) continue;
    const Taken taken = {before.Matches(shard.definition), after.Matches(shard.definition)};
    if (taken.before != taken.after) compared.differing.emplace_back(shard.id, taken);
    if (taken.before && taken.after) compared.both.push_back(shard.id);
  }
  return compared;
}

absl::Status LookUp(const CatalogReader& reader, const Uuid& update, const Uuid& excluded_keeper,
                    WholeShards& before, WholeShards& after, TakenUpdates& updates) {
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(update));
  for (const RecordColumns& revision : revisions) {
    if (revision.key.kept() && revision.key.kept_by == excluded_keeper) continue;
    ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(revision.header.shard_id()));
    ASSIGN_OR_RETURN(const bool was, before.Contain(shard));
    ASSIGN_OR_RETURN(const bool will_be, after.Contain(shard));
    Taken& taken = updates[update];
    taken.before |= was;
    taken.after |= will_be;
  }
  return absl::OkStatus();
}

void AddTitle(const CatalogReader& reader, const Uuid& update,
              google::protobuf::RepeatedPtrField<std::string>& titles) {
  if (titles.size() >= kTitlesMax) return;
  const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update);
  if (current.ok()) *titles.Add() = current->header.title();
}

// Whether the update is approved, and no node hides it.
absl::StatusOr<bool> IsOffered(const CatalogReader& reader, const Uuid& update,
                               const SiteNotices& notices) {
  if (notices.Suppressed(update)) return false;
  ASSIGN_OR_RETURN(const std::vector<v1::DecisionEntry> entries, reader.Decisions(update));
  if (entries.empty()) return false;
  ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, update));
  return standing.approved();
}

// Whether an update that does not come now asks for the file already.
absl::StatusOr<bool> WantedAlready(const CatalogReader& reader, const Digest& file,
                                   const std::vector<Uuid>& gained, const SiteNotices& notices) {
  ASSIGN_OR_RETURN(const std::vector<RecordKey> uses, reader.FileUses(file));
  for (const RecordKey& use : uses) {
    if (std::binary_search(gained.begin(), gained.end(), use.id)) continue;
    ASSIGN_OR_RETURN(const bool offered, IsOffered(reader, use.id, notices));
    if (offered) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<UpdateDifference> CompareSelections(const CatalogReader& reader,
                                                   const Selection& before, const Selection& after,
                                                   const Uuid& excluded_keeper) {
  ASSIGN_OR_RETURN(const ComparedShards compared,
                   CompareShards(reader, before, after, excluded_keeper));
  TakenUpdates updates;
  for (const auto& [shard, taken] : compared.differing) {
    RETURN_IF_ERROR(ForEachMember(
        reader, {shard}, [&, taken = taken](const ShardId& /*shard*/, const ShardMember& member) {
          if (member.key.kind != v1::RECORD_KIND_REVISION) return;
          Taken& update = updates[member.key.id];
          update.before |= taken.before;
          update.after |= taken.after;
        }));
  }
  WholeShards whole_before(reader, before);
  WholeShards whole_after(reader, after);
  const auto look_up = [&](const Uuid& update) {
    return LookUp(reader, update, excluded_keeper, whole_before, whole_after, updates);
  };
  for (const Selection* const selection : {&before, &after}) {
    for (const Uuid& update : selection->picks()) RETURN_IF_ERROR(look_up(update));
  }
  // An update that comes or goes with one shard may stay with another.
  if (updates.size() <= kLookUpMax) {
    std::vector<Uuid> ids;
    for (const auto& [update, taken] : updates) ids.push_back(update);
    for (const Uuid& update : ids) RETURN_IF_ERROR(look_up(update));
  } else {
    RETURN_IF_ERROR(ForEachMember(reader, compared.both,
                                  [&](const ShardId& /*shard*/, const ShardMember& member) {
                                    const auto update = updates.find(member.key.id);
                                    if (update != updates.end()) update->second = {true, true};
                                  }));
  }
  UpdateDifference difference;
  for (const auto& [update, taken] : updates) {
    const bool was = taken.before || before.picks().contains(update);
    const bool will_be = taken.after || after.picks().contains(update);
    if (will_be && !was) difference.gained.push_back(update);
    if (was && !will_be) difference.lost.push_back(update);
  }
  std::sort(difference.gained.begin(), difference.gained.end());
  std::sort(difference.lost.begin(), difference.lost.end());
  return difference;
}

absl::Status DescribeGained(const CatalogReader& reader, const UpdateDifference& difference,
                            const Selection& after, bool decisions,
                            v1::SelectionDifference& description) {
  description.set_updates_gained(static_cast<int64_t>(difference.gained.size()));
  ASSIGN_OR_RETURN(const SiteNotices notices, SiteNotices::Read(reader));
  absl::flat_hash_set<Digest> files;
  for (const Uuid& update : difference.gained) {
    AddTitle(reader, update, *description.mutable_titles_gained());
    if (!decisions) continue;
    ASSIGN_OR_RETURN(const bool offered, IsOffered(reader, update, notices));
    if (!offered) continue;
    description.set_approvals_gained(description.approvals_gained() + 1);
    ASSIGN_OR_RETURN(const WantedFiles wanted, FilesWantedFor(reader, update, after, notices));
    for (const stored::v1::FileReference& file : wanted.files) {
      ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
      if (!files.insert(digest).second) continue;
      ASSIGN_OR_RETURN(const bool already,
                       WantedAlready(reader, digest, difference.gained, notices));
      if (already) continue;
      description.set_bytes_to_fetch(description.bytes_to_fetch() + file.size_bytes());
    }
  }
  return absl::OkStatus();
}

absl::Status DescribeLost(const CatalogReader& reader, const UpdateDifference& difference,
                          const std::function<bool(const ContentInfo&)>& present,
                          v1::SelectionDifference& description) {
  description.set_updates_lost(static_cast<int64_t>(difference.lost.size()));
  const auto stays = [&](const RecordKey& use) {
    return !std::binary_search(difference.lost.begin(), difference.lost.end(), use.id);
  };
  ASSIGN_OR_RETURN(const SiteNotices notices, SiteNotices::Read(reader));
  absl::flat_hash_set<Digest> files;
  for (const Uuid& update : difference.lost) {
    AddTitle(reader, update, *description.mutable_titles_lost());
    ASSIGN_OR_RETURN(const bool offered, IsOffered(reader, update, notices));
    if (offered) description.set_approvals_inactive(description.approvals_inactive() + 1);
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(update));
    for (const RecordColumns& revision : revisions) {
      for (const stored::v1::FileReference& file : revision.header.files()) {
        ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
        if (!files.insert(digest).second || !present({digest, file.size_bytes()})) continue;
        ASSIGN_OR_RETURN(const std::vector<RecordKey> uses, reader.FileUses(digest));
        if (std::any_of(uses.begin(), uses.end(), stays)) continue;
        description.set_bytes_to_free(description.bytes_to_free() + file.size_bytes());
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace sluice
