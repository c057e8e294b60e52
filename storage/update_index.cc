#include "storage/update_index.h"

#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/status.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

// One walk over the present records of a kind, kept or not.
class KindWalk {
 public:
  KindWalk(const CatalogReader& reader, v1::RecordKind kind, bool kept, const Uuid& after) {
    RecordKey last = {kind, after, std::numeric_limits<uint32_t>::max(), {}};
    RecordKey any = {kind, after, 1, {}};
    if (kept) any.kept_by = last.kept_by = *Uuid::FromBytes(std::string(Uuid::kSizeBytes, '\xff'));
    const std::string prefix = any.Encode().substr(0, 1);
    const std::string from = after.is_nil() ? prefix : PrefixEnd(last.Encode().substr(0, kIdEnd));
    cursor_ = reader.view().Scan(Family::kRecords, from, PrefixEnd(prefix));
  }

  bool Valid() const { return cursor_->Valid(); }
  absl::string_view id() const { return cursor_->key().substr(1, Uuid::kSizeBytes); }
  absl::Status status() const { return cursor_->status(); }

  // Moves the records of `id` into `group`.
  absl::Status Take(absl::string_view id, RecordGroup& group) {
    for (; Valid() && this->id() == id; cursor_->Next()) {
      RecordColumns columns;
      ASSIGN_OR_RETURN(columns.header, DecodeHeader(cursor_->value()));
      if (columns.header.state() != v1::RECORD_STATE_PRESENT) continue;
      ASSIGN_OR_RETURN(columns.key, RecordKey::Decode(cursor_->key()));
      group.push_back(std::move(columns));
    }
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kIdEnd = 1 + Uuid::kSizeBytes;

  std::unique_ptr<OrderedCursor> cursor_;
};

}  // namespace

absl::StatusOr<std::vector<RecordGroup>> ListById(const CatalogReader& reader, v1::RecordKind kind,
                                                  const Uuid& after, int max) {
  KindWalk own(reader, kind, /*kept=*/false, after);
  KindWalk kept(reader, kind, /*kept=*/true, after);
  std::vector<RecordGroup> groups;
  while ((own.Valid() || kept.Valid()) && static_cast<int>(groups.size()) < max) {
    const bool kept_first = !own.Valid() || (kept.Valid() && kept.id() < own.id());
    const std::string id((kept_first ? kept : own).id());
    RecordGroup group;
    RETURN_IF_ERROR(own.Take(id, group));
    RETURN_IF_ERROR(kept.Take(id, group));
    if (!group.empty()) groups.push_back(std::move(group));
  }
  RETURN_IF_ERROR(own.status());
  RETURN_IF_ERROR(kept.status());
  return groups;
}

absl::StatusOr<RecordColumns> NewestOf(RecordGroup revisions) {
  if (revisions.size() == 1) return std::move(revisions.front());
  size_t newest = 0;
  Stamp stamp;
  for (size_t i = 0; i < revisions.size(); ++i) {
    ASSIGN_OR_RETURN(const Stamp other, Stamp::FromProto(revisions[i].header.stamp()));
    if (i > 0 && other < stamp) continue;
    stamp = other;
    newest = i;
  }
  return std::move(revisions[newest]);
}

absl::StatusOr<std::vector<Uuid>> UpdatesInShards(const CatalogReader& reader,
                                                  const std::vector<ShardInfo>& shards,
                                                  const Uuid& after, int max) {
  std::set<Uuid> ids;
  // Behind the last one of a shard that may have more, others may be missing.
  std::optional<Uuid> known_to;
  for (const ShardInfo& shard : shards) {
    RecordKey behind = {v1::RECORD_KIND_REVISION, after, std::numeric_limits<uint32_t>::max(), {}};
    if (!shard.definition.kept_by().empty()) {
      ASSIGN_OR_RETURN(behind.kept_by, Uuid::FromBytes(shard.definition.kept_by()));
    }
    ASSIGN_OR_RETURN(const std::vector<ShardMember> members,
                     reader.Members(shard.id, behind.Encode(), max));
    for (const ShardMember& member : members) {
      if (member.key.kind == v1::RECORD_KIND_REVISION) ids.insert(member.key.id);
    }
    const bool more = static_cast<int>(members.size()) == max &&
                      members.back().key.kind == v1::RECORD_KIND_REVISION;
    if (more && (!known_to.has_value() || members.back().key.id < *known_to)) {
      known_to = members.back().key.id;
    }
  }
  std::vector<Uuid> found;
  for (const Uuid& id : ids) {
    const bool beyond = known_to.has_value() && *known_to < id;
    if (beyond || static_cast<int>(found.size()) == max) break;
    found.push_back(id);
  }
  return found;
}

}  // namespace sluice
