#include "downstream/reconciler.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/from_above.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr int kMembersPerPage = 1000;
constexpr size_t kShardsPerRequest = 256;
constexpr size_t kKeysPerRequest = 512;
constexpr size_t kOpsPerCommit = 512;
// A side that has so many times as much of a shard differs in most of it.
constexpr uint64_t kTimesLarger = 2;
constexpr uint64_t kRecordsByItemsMin = 16;
// In another history: where more is absent, it is another catalog and not a gap.
constexpr size_t kJudgedMax = 20'000;

absl::StatusOr<std::vector<ShardMember>> AllMembers(const CatalogReader& reader,
                                                    const ShardId& shard) {
  std::vector<ShardMember> members;
  std::string after;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<ShardMember> page,
                     reader.Members(shard, after, kMembersPerPage));
    members.insert(members.end(), page.begin(), page.end());
    if (page.size() < kMembersPerPage) return members;
    after = page.back().key.Encode();
  }
}

// The answer was full; ask again. Not so where the upstream itself has to catch up first.
bool HadNoRoom(const v1::GetRecordsItem& item) {
  return item.status().reason() == ReasonName(v1::REASON_ITEM_NOT_YET) &&
         item.status().code() == static_cast<int>(absl::StatusCode::kUnavailable);
}

}  // namespace

Reconciler::Reconciler(Catalog& catalog, RecordApplier& applier, Selection selection,
                       bool same_history)
    : catalog_(catalog),
      applier_(applier),
      selection_(std::move(selection)),
      same_history_(same_history) {}

absl::StatusOr<Reconciler::Step> Reconciler::OnResponse(const v1::ReconcileResponse& response) {
  switch (response.step_case()) {
    case v1::ReconcileResponse::kSums:
      return OnSums(response.sums());
    case v1::ReconcileResponse::kKeys:
      return OnKeys(response.keys());
    default:
      return OnItems(response);
  }
}

absl::StatusOr<Reconciler::Step> Reconciler::OnSums(const v1::ReconcileSums& sums) {
  at_seq_ = sums.at_seq();
  epoch_ = sums.epoch();
  selection_hash_ = sums.selection_hash();
  sums_.insert(sums_.end(), sums.shards().begin(), sums.shards().end());
  if (sums.more()) return Step();
  RETURN_IF_ERROR(CompareSums());
  ChooseHow(sums.symbols());
  return Next();
}

absl::Status Reconciler::CompareSums() {
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  // In an order that a replayed simulation repeats.
  absl::btree_map<ShardId, const ShardInfo*> ours;
  for (const ShardInfo& shard : shards) {
    if (ComesFromAbove(catalog_, shard.definition)) ours.emplace(shard.id, &shard);
  }
  for (const v1::ShardSum& sum : sums_) {
    if (!ComesFromAbove(catalog_, sum.definition())) continue;
    const ShardId id = ShardId::Of(sum.definition());
    ASSIGN_OR_RETURN(const Fingerprint theirs, Fingerprint::FromProto(sum.fingerprint()));
    definitions_.emplace(id, sum.definition());
    applier_.Define(sum.definition());
    const auto mine = ours.find(id);
    const Fingerprint here = mine == ours.end() ? Fingerprint() : mine->second->fingerprint;
    if (!(here == theirs)) NoteDifferent(id, here, theirs);
    if (mine != ours.end()) ours.erase(mine);
  }
  shards_compared_ = sums_.size() + ours.size();
  shards_differing_ = by_items_.size() + to_ask_.size() + ours.size();
  for (const auto& [id, shard] : ours) RETURN_IF_ERROR(DropShard(*shard));
  return absl::OkStatus();
}

void Reconciler::NoteDifferent(const ShardId& id, const Fingerprint& here,
                               const Fingerprint& theirs) {
  const bool alike = here.count() > 0 && theirs.count() / kTimesLarger <= here.count() &&
                     here.count() / kTimesLarger <= theirs.count();
  if (!alike) return to_ask_.push_back(id);
  by_items_.push_back(id);
  records_by_items_ += theirs.count();
}

// The keys of a handful of records cost less than the first symbols.
void Reconciler::ChooseHow(bool upstream_knows_items) {
  if (upstream_knows_items && records_by_items_ >= kRecordsByItemsMin) return;
  to_ask_.insert(to_ask_.end(), by_items_.begin(), by_items_.end());
  by_items_.clear();
}

absl::StatusOr<Reconciler::Step> Reconciler::OnItems(const v1::ReconcileResponse& response) {
  if (!comparison_.has_value()) {
    return absl::InvalidArgumentError("the upstream sent a step that was not asked for");
  }
  ASSIGN_OR_RETURN(const ItemComparison::Next next, comparison_->Take(response));
  Step step;
  switch (next) {
    case ItemComparison::Next::kWait:
      return step;
    case ItemComparison::Next::kSend:
      step.kind = Step::Kind::kAsk;
      step.request = comparison_->request();
      return step;
    case ItemComparison::Next::kDone:
      RETURN_IF_ERROR(TakeDifference(*comparison_));
      break;
    case ItemComparison::Next::kGiveUp:
      to_ask_.insert(to_ask_.end(), by_items_.begin(), by_items_.end());
      break;
  }
  by_items_.clear();
  comparison_.reset();
  return Next();
}

// Puts the upstream's list of each shard together from what this node had when it was compared, and
// goes on as if it had come: taking one shard can move records to another.
absl::Status Reconciler::TakeDifference(const ItemComparison& comparison) {
  absl::flat_hash_map<ShardId, absl::flat_hash_set<RecordKey>> only_here;
  absl::flat_hash_map<ShardId, std::vector<Theirs>> only_there;
  for (const auto& [shard, member] : comparison.only_here()) only_here[shard].insert(member.key);
  for (const auto& [shard, member] : comparison.only_there()) {
    only_there[shard].push_back({member.key, member.digest, member.stamp});
  }
  for (const ShardId& shard : by_items_) {
    ASSIGN_OR_RETURN(const std::vector<ShardMember> before, AllMembers(comparison.reader(), shard));
    std::vector<Theirs> theirs = std::move(only_there[shard]);
    const absl::flat_hash_set<RecordKey>& without = only_here[shard];
    for (const ShardMember& member : before) {
      if (without.contains(member.key)) continue;
      theirs.push_back({member.key, member.digest, member.stamp});
    }
    RETURN_IF_ERROR(CompareShard(shard, theirs));
  }
  return absl::OkStatus();
}

// A shard that the upstream does not list: this node stopped wanting it, or the upstream has
// nothing of it.
absl::Status Reconciler::DropShard(const ShardInfo& shard) {
  ASSIGN_OR_RETURN(const std::vector<ShardMember> members, AllMembers(catalog_.Read(), shard.id));
  CatalogChange change;
  for (const ShardMember& member : members) {
    Drop(member, shard.id, shard.definition, change);
    RETURN_IF_ERROR(Flush(change, false));
  }
  return Flush(change, true);
}

void Reconciler::NoteAbsent(const ShardMember& member, const ShardId& shard,
                            CatalogChange& change) {
  if (member.key.kind == v1::RECORD_KIND_SITE) {
    // What a node held back that is no longer above is over.
    if (!same_history_) return change.Leave(member.key, shard);
    leftovers_.emplace_back(member.key, shard);
  } else if (same_history_ || to_judge_.size() < kJudgedMax) {
    to_judge_.push_back({member, shard});
  } else {
    change.Keep(member.key);
  }
}

void Reconciler::StepAside(const ShardMember& member, const ShardId& shard, CatalogChange& change) {
  // What a node held back before it was taken back in time is over.
  if (member.key.kind == v1::RECORD_KIND_SITE) return change.Leave(member.key, shard);
  change.Keep(member.key);
}

// What is not wanted any more leaves, whatever the history.
void Reconciler::Drop(const ShardMember& member, const ShardId& shard,
                      const v1::ShardDefinition& definition, CatalogChange& change) {
  if (selection_.Takes(definition, member.key)) {
    NoteAbsent(member, shard, change);
  } else if (guards_unwanted_) {
    leftovers_.emplace_back(member.key, shard);
  } else {
    change.Leave(member.key, shard);
  }
}

// What moved to another shard meanwhile is no leftover.
absl::StatusOr<std::vector<RecordKey>> Reconciler::Leftovers() const {
  std::vector<RecordKey> left;
  const CatalogReader reader = catalog_.Read();
  for (const auto& [key, shard] : leftovers_) {
    const absl::StatusOr<RecordColumns> columns = reader.GetColumns(key);
    if (columns.ok() && columns->header.shard_id() == shard.view()) left.push_back(key);
  }
  return left;
}

absl::Status Reconciler::RemoveLeftovers(RemovalGuard& guard, absl::Time now) {
  for (size_t begin = 0; begin < leftovers_.size(); begin += kOpsPerCommit) {
    const size_t end = std::min(begin + kOpsPerCommit, leftovers_.size());
    CatalogChange change;
    for (size_t i = begin; i < end; ++i) {
      change.Leave(leftovers_[i].first, leftovers_[i].second);
    }
    RETURN_IF_ERROR(guard.NoteRemoved(static_cast<int64_t>(end - begin), now, change));
    RETURN_IF_ERROR(applier_.Commit(std::move(change)));
  }
  leftovers_.clear();
  return absl::OkStatus();
}

absl::StatusOr<Reconciler::Step> Reconciler::OnKeys(const v1::ShardKeys& keys) {
  for (const v1::KeyDigest& entry : keys.records()) {
    Theirs theirs;
    ASSIGN_OR_RETURN(theirs.key, RecordKey::FromProto(entry.key()));
    ASSIGN_OR_RETURN(theirs.digest, Digest::FromBytes(entry.digest()));
    ASSIGN_OR_RETURN(theirs.stamp, Stamp::FromProto(entry.stamp()));
    partial_.push_back(std::move(theirs));
  }
  if (keys.more()) return Step();
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(keys.shard_id()));
  const std::vector<Theirs> theirs = std::exchange(partial_, {});
  RETURN_IF_ERROR(CompareShard(shard, theirs));
  if (open_keys_ > 0) --open_keys_;
  if (open_keys_ > 0) return Step();
  return Next();
}

absl::Status Reconciler::CompareShard(const ShardId& shard, const std::vector<Theirs>& theirs) {
  if (!definitions_.contains(shard)) {
    return absl::InvalidArgumentError("the upstream lists a shard that is not compared");
  }
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<ShardMember> ours, AllMembers(reader, shard));
  const v1::ShardDefinition& definition = definitions_[shard];
  // A revision is the same when update and digest are, whatever its number.
  const auto name_of = [](const RecordKey& key, const Digest& digest) {
    RecordKey name = key;
    name.revision = 0;
    return name.ToString() +
           (key.kind == v1::RECORD_KIND_REVISION ? digest.bytes() : std::string());
  };
  absl::btree_map<std::string, const ShardMember*> here;
  for (const ShardMember& member : ours) here[name_of(member.key, member.digest)] = &member;

  CatalogChange change;
  for (const Theirs& entry : theirs) {
    const auto found = here.find(name_of(entry.key, entry.digest));
    if (found != here.end()) {
      const ShardMember& mine = *found->second;
      here.erase(found);
      if (mine.digest == entry.digest && mine.stamp == entry.stamp) continue;
      // Ours would stand in the way of what the upstream's history holds now: one that was put back
      // from a copy gives the same stamps to other facts. A policy is replaced
      // whole when it comes; until then, and if it never comes, what was decided stays in force.
      const bool in_the_way = entry.key.kind != v1::RECORD_KIND_POLICY && mine.stamp >= entry.stamp;
      if (mine.digest != entry.digest && in_the_way) StepAside(mine, shard, change);
    }
    // What is here in another shard is not absent above.
    if (reader.GetColumns(entry.key).ok()) listed_.insert(entry.key);
    ASSIGN_OR_RETURN(const bool adopted, AdoptLocal(entry, shard, change));
    if (!adopted) {
      RETURN_IF_ERROR(applier_.DropTombstone(entry.key, change));
      to_fetch_.push_back(entry.key);
    }
    RETURN_IF_ERROR(Flush(change, false));
  }
  for (const auto& [name, member] : here) {
    Drop(*member, shard, definition, change);
    RETURN_IF_ERROR(Flush(change, false));
  }
  return Flush(change, true);
}

// Where the same fact is in this catalog: under its own key, or kept by this node.
absl::StatusOr<std::optional<RecordKey>> Reconciler::FindLocal(const Theirs& theirs) const {
  const CatalogReader reader = catalog_.Read();
  if (theirs.key.kind == v1::RECORD_KIND_REVISION) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(theirs.key.id));
    for (const RecordColumns& revision : revisions) {
      if (revision.header.digest() == theirs.digest.view()) return std::optional(revision.key);
    }
    return std::optional<RecordKey>();
  }
  // A policy's stamps are those of its decisions; they cannot be told from here.
  if (theirs.key.kind == v1::RECORD_KIND_POLICY) return std::optional<RecordKey>();
  for (const Uuid& keeper : {theirs.key.kept_by, catalog_.node_id()}) {
    const RecordKey key = {theirs.key.kind, theirs.key.id, 0, keeper};
    const absl::StatusOr<RecordColumns> columns = reader.GetColumns(key);
    if (columns.ok() && columns->header.digest() == theirs.digest.view()) return std::optional(key);
  }
  return std::optional<RecordKey>();
}

absl::StatusOr<bool> Reconciler::AdoptLocal(const Theirs& theirs, const ShardId& shard,
                                            CatalogChange& change) {
  ASSIGN_OR_RETURN(const std::optional<RecordKey> local, FindLocal(theirs));
  if (!local.has_value()) return false;
  ASSIGN_OR_RETURN(v1::Record record, catalog_.Read().GetRecord(*local));
  *record.mutable_key() = theirs.key.ToProto();
  *record.mutable_stamp() = theirs.stamp.ToProto();
  record.set_shard_id(shard.bytes());
  absl::StatusOr<CheckedRecord> checked = CheckRecord(std::move(record), definitions_[shard]);
  if (!checked.ok()) return false;
  change.Accept(*std::move(checked));
  return true;
}

absl::StatusOr<Reconciler::Step> Reconciler::OnRecords(v1::GetRecordsResponse response,
                                                       absl::Time now) {
  for (const v1::ShardDefinition& shard : response.shards()) applier_.Define(shard);
  if (!judging_.empty()) {
    RETURN_IF_ERROR(JudgeAbsent(std::move(response), now));
    return Next();
  }
  CatalogChange change;
  for (int i = 0; i < response.items_size() && i < static_cast<int>(fetching_.size()); ++i) {
    v1::GetRecordsItem& item = *response.mutable_items(i);
    if (item.has_record()) {
      const absl::StatusOr<ShardId> shard = ShardId::FromBytes(item.record().shard_id());
      // It moved since into a shard that was not offered. The tail from at_seq says what became of
      // it, but only for the shards of the selection: taken from here it might never leave again.
      if (shard.ok() && !definitions_.contains(*shard)) continue;
      applier_.Add(std::move(*item.mutable_record()), now, change);
    } else if (HadNoRoom(item)) {
      to_fetch_.push_back(fetching_[static_cast<size_t>(i)]);
    }
    // Absent meanwhile: the tail from at_seq brings what became of it.
  }
  fetching_.clear();
  RETURN_IF_ERROR(applier_.Commit(std::move(change)));
  return Next();
}

absl::Status Reconciler::JudgeAbsent(v1::GetRecordsResponse response, absl::Time now) {
  CatalogChange change;
  const std::vector<Absent> judging = std::exchange(judging_, {});
  for (int i = 0; i < response.items_size() && i < static_cast<int>(judging.size()); ++i) {
    RETURN_IF_ERROR(
        Judge(judging[static_cast<size_t>(i)], *response.mutable_items(i), now, change));
  }
  return applier_.Commit(std::move(change));
}

absl::Status Reconciler::Judge(const Absent& absent, v1::GetRecordsItem& item, absl::Time now,
                               CatalogChange& change) {
  const RecordKey& key = absent.member.key;
  const absl::StatusOr<RecordColumns> here = catalog_.Read().GetColumns(key);
  // It was taken as the upstream has it meanwhile, in another shard.
  if (!here.ok() || here->header.shard_id() != absent.shard.view()) return absl::OkStatus();
  if (HadNoRoom(item)) {
    to_judge_.push_back(absent);
    return absl::OkStatus();
  }
  const bool purged = item.status().reason() == ReasonName(v1::REASON_ITEM_PURGED);
  const bool left = item.status().reason() == ReasonName(v1::REASON_ITEM_FILTERED);
  if (item.has_record()) {
    const absl::StatusOr<Stamp> stamp = Stamp::FromProto(item.record().stamp());
    // By its own view of the products, and of some shards only the updates that are picked. What
    // moved since it listed them comes by the tail.
    const bool offered = listed_.contains(key);
    const bool same_fact = key.kind != v1::RECORD_KIND_REVISION ||
                           item.record().digest() == absent.member.digest.view();
    const bool older = !stamp.ok() || *stamp < absent.member.stamp;
    // What stands under the number there is another revision.
    if (!same_fact || (purged && older)) {
      change.Keep(key);
    } else if (purged || (!offered && same_history_)) {
      leftovers_.emplace_back(key, absent.shard);
    } else if (offered) {
      const bool another = item.record().digest() != absent.member.digest.view();
      // Of a policy those decisions are kept that would be taken away; the commit sees to that. All
      // else that is newer here would stand in the way of what the upstream has.
      if (older && key.kind != v1::RECORD_KIND_POLICY) {
        if (another) {
          change.Keep(key);
        } else {
          change.Leave(key, absent.shard);
        }
      }
      applier_.Add(std::move(*item.mutable_record()), now, change);
    } else {
      change.Keep(key);
    }
  } else if (same_history_ && (left || purged)) {
    leftovers_.emplace_back(key, absent.shard);
  } else {
    change.Keep(key);
  }
  return absl::OkStatus();
}

absl::StatusOr<Reconciler::Step> Reconciler::Next() {
  Step step;
  if (!by_items_.empty()) {
    step.kind = Step::Kind::kAsk;
    comparison_.emplace(catalog_.Read(), by_items_, by_items_, ItemComparison::Options());
    comparison_->Begin();
    step.request = comparison_->request();
    return step;
  }
  if (!to_ask_.empty()) {
    step.kind = Step::Kind::kAsk;
    while (!to_ask_.empty() && open_keys_ < kShardsPerRequest) {
      step.request.mutable_keys_wanted()->add_shard_ids(to_ask_.front().bytes());
      to_ask_.pop_front();
      ++open_keys_;
    }
    return step;
  }
  if (to_fetch_.empty() && to_judge_.empty()) {
    step.kind = Step::Kind::kDone;
    return step;
  }
  step.kind = Step::Kind::kGetRecords;
  // First, so that what is kept makes room for revisions of the same number.
  while (!to_judge_.empty() && judging_.size() < kKeysPerRequest) {
    *step.records.add_keys() = to_judge_.front().member.key.ToProto();
    judging_.push_back(std::move(to_judge_.front()));
    to_judge_.pop_front();
  }
  if (!judging_.empty()) return step;
  while (!to_fetch_.empty() && fetching_.size() < kKeysPerRequest) {
    *step.records.add_keys() = to_fetch_.front().ToProto();
    fetching_.push_back(to_fetch_.front());
    to_fetch_.pop_front();
  }
  return step;
}

absl::Status Reconciler::Flush(CatalogChange& change, bool all) {
  if (change.empty() || (!all && change.ops().size() < kOpsPerCommit)) return absl::OkStatus();
  return applier_.Commit(std::exchange(change, CatalogChange()));
}

}  // namespace sluice
