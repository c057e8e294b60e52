#include "upstream/change_feed.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/root_cursor.h"

namespace sluice {
namespace {

constexpr int kChangesPerBatch = 512;
constexpr int64_t kBatchBytesMax = 1'000'000;
// After so many entries outside of the selection the child is told how far they were passed over.
constexpr int kScanMax = 1000;

}  // namespace

absl::StatusOr<ChangeFeed> ChangeFeed::Open(const Catalog& catalog,
                                            const v1::ChangesRequest& request, Shared shared) {
  ASSIGN_OR_RETURN(const Uuid child, Uuid::FromBytes(request.node_id()));
  const v1::Cursor& cursor = request.cursor();
  const CatalogReader reader = catalog.Read();
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  if (cursor.upstream_id() != state.node_id() ||
      cursor.epoch().epoch_id() != state.epoch().epoch_id()) {
    return MakeError(v1::REASON_EPOCH_CHANGED, "the cursor is of another history than this node's");
  }
  if (cursor.seq() > state.head_seq()) {
    return MakeError(v1::REASON_SEQ_AHEAD, absl::StrCat("the cursor is at seq ", cursor.seq(),
                                                        ", this node at ", state.head_seq()));
  }
  ASSIGN_OR_RETURN(Selection selection,
                   Selection::Expand(reader, request.subscription(), request.mode()));
  if (cursor.selection_hash() != selection.hash().view()) {
    return MakeError(v1::REASON_SELECTION_CHANGED,
                     "the cursor was taken for another selection than the subscription gives now");
  }
  return ChangeFeed(catalog, request, child, std::move(selection), shared);
}

ChangeFeed::ChangeFeed(const Catalog& catalog, const v1::ChangesRequest& request, Uuid child,
                       Selection selection, Shared shared)
    : catalog_(&catalog),
      shared_(shared),
      child_(child),
      subscription_(request.subscription()),
      mode_(request.mode()),
      watch_(request.watch()),
      marks_only_(request.marks_only()),
      selection_(std::move(selection)),
      position_(request.cursor().seq()) {}

ChangeFeed::Step ChangeFeed::Next() {
  Step step;
  if (Shares()) {
    SharedMessage prepared = shared_.messages->Find({selection_.hash(), position_}, child_);
    if (prepared.bytes != nullptr) {
      position_ = prepared.next;
      step.kind = Step::Kind::kMessage;
      step.bytes = std::move(prepared.bytes);
      return step;
    }
  }
  absl::StatusOr<std::optional<v1::ChangesResponse>> message = Advance();
  if (!message.ok()) {
    step.status = message.status();
  } else if (message->has_value()) {
    step.kind = Step::Kind::kMessage;
    step.message = **std::move(message);
  } else if (watch_) {
    step.kind = Step::Kind::kAtHead;
  }
  return step;
}

// With picks each feed reads the log itself, to know of which of them it speaks.
bool ChangeFeed::Shares() const {
  return watch_ && !marks_only_ && marked_.has_value() && selection_.picks().empty();
}

absl::StatusOr<std::optional<v1::ChangesResponse>> ChangeFeed::Advance() {
  const CatalogReader reader = catalog_->Read();
  absl::Status failure;
  owners_.clear();
  const auto wanted = [&](const ShardId& shard, absl::string_view record_key) {
    const absl::StatusOr<bool> wants = Wants(reader, shard, record_key);
    failure.Update(wants.status());
    return wants.value_or(false);
  };
  ASSIGN_OR_RETURN(CatalogReader::LogSlice slice,
                   reader.ReadLog(position_, wanted, kChangesPerBatch, kScanMax));
  RETURN_IF_ERROR(failure);

  const bool categories_changed = std::any_of(
      slice.changes.begin(), slice.changes.end(),
      [](const LoggedChange& change) { return change.key.kind == v1::RECORD_KIND_CATEGORY; });
  if (categories_changed && !subscription_.products().empty()) {
    ASSIGN_OR_RETURN(std::optional<v1::ChangesResponse> changed, Reexpand(reader));
    // The same slice is read again, with the new selection, by the next call.
    if (changed.has_value()) return changed;
  }
  if (!slice.changes.empty() && !marks_only_) {
    const uint64_t after = position_;
    const uint64_t scanned_to = slice.scanned_to;
    const uint64_t last_seq = slice.changes.back().seq;
    ASSIGN_OR_RETURN(v1::ChangesResponse batch, MakeBatch(reader, std::move(slice.changes)));
    const auto& changes = batch.batch().changes();
    const uint64_t sent_to = changes.rbegin()->seq();
    position_ = sent_to == last_seq ? scanned_to : sent_to;
    // A category may change what another subscription expands to.
    if (Shares() && !categories_changed) {
      auto bytes = std::make_shared<const std::string>(batch.SerializeAsString());
      shared_.messages->Keep({selection_.hash(), after}, child_,
                             {std::move(bytes), position_, owners_});
    }
    return std::optional<v1::ChangesResponse>(std::move(batch));
  }
  const bool moved = slice.scanned_to != position_;
  position_ = slice.scanned_to;
  if (!slice.at_head && !moved) return std::optional<v1::ChangesResponse>();
  if (marked_ == position_) {
    ASSIGN_OR_RETURN(const bool news, RootMoved(reader));
    if (!news) return std::optional<v1::ChangesResponse>();
  }
  ASSIGN_OR_RETURN(v1::ChangesResponse mark, MakeMark(reader, slice.at_head));
  return std::optional<v1::ChangesResponse>(std::move(mark));
}

absl::StatusOr<v1::ChangesResponse> ChangeFeed::MakeBatch(const CatalogReader& reader,
                                                          std::vector<LoggedChange> changes) {
  v1::ChangesResponse response;
  v1::ChangeBatch& batch = *response.mutable_batch();
  absl::flat_hash_set<ShardId> named;
  int64_t size_bytes = 0;
  for (LoggedChange& logged : changes) {
    v1::Change change;
    change.set_seq(logged.seq);
    if (logged.left) {
      v1::Left& left = *change.mutable_left();
      *left.mutable_key() = logged.key.ToProto();
      left.set_shard_id(logged.shard.bytes());
      left.set_digest(logged.digest.bytes());
    } else {
      *change.mutable_record() = std::move(logged.record);
    }
    size_bytes += static_cast<int64_t>(change.ByteSizeLong());
    if (size_bytes > kBatchBytesMax && !batch.changes().empty()) break;
    *batch.add_changes() = std::move(change);
    // A message for many defines all that it names.
    if (defined_.insert(logged.shard).second || (Shares() && named.insert(logged.shard).second)) {
      named.insert(logged.shard);
      ASSIGN_OR_RETURN(const ShardInfo shard, reader.Shard(logged.shard));
      *batch.add_shards() = shard.definition;
    }
  }
  return response;
}

absl::StatusOr<v1::ChangesResponse> ChangeFeed::MakeMark(const CatalogReader& reader,
                                                         bool at_head) {
  v1::ChangesResponse response;
  v1::Mark& mark = *response.mutable_mark();
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  mark.set_seq(position_);
  mark.set_head_seq(state.head_seq());
  mark.set_selection_hash(selection_.hash().bytes());
  if (at_head) {
    // One that only says how far the root was followed costs no sum over all shards.
    if (marked_ != position_) {
      RETURN_IF_ERROR(LookAtPicks(reader));
      ASSIGN_OR_RETURN(Fingerprint fingerprint, shared_.sums->OfShards(reader, selection_, child_));
      ASSIGN_OR_RETURN(const Fingerprint picks, picked_->Total());
      fingerprint.Add(picks);
      marked_fingerprint_ = fingerprint.ToProto();
    }
    *mark.mutable_fingerprint() = marked_fingerprint_;
    ASSIGN_OR_RETURN(const std::optional<v1::Cursor> root, ReadRootCursor(reader));
    if (root.has_value()) *mark.mutable_root_cursor() = *root;
    marked_root_ = mark.root_cursor();
  }
  // The mark that carries the fingerprint is never left out.
  marked_ = at_head ? std::optional<uint64_t>(position_) : std::nullopt;
  return response;
}

absl::StatusOr<bool> ChangeFeed::RootMoved(const CatalogReader& reader) const {
  ASSIGN_OR_RETURN(const std::optional<v1::Cursor> root, ReadRootCursor(reader));
  return root.has_value() && (root->upstream_id() != marked_root_.upstream_id() ||
                              root->epoch().epoch_id() != marked_root_.epoch().epoch_id() ||
                              root->seq() != marked_root_.seq());
}

absl::StatusOr<std::optional<v1::ChangesResponse>> ChangeFeed::Reexpand(
    const CatalogReader& reader) {
  ASSIGN_OR_RETURN(Selection selection, Selection::Expand(reader, subscription_, mode_));
  if (selection.hash() == selection_.hash()) return std::optional<v1::ChangesResponse>();
  v1::ChangesResponse response;
  v1::SelectionChanged& changed = *response.mutable_selection_changed();
  changed.set_selection_hash(selection.hash().bytes());
  // An emptied shard counts too: that records left it is not said to one who no longer takes it.
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.ShardsEverUsed());
  for (const ShardInfo& shard : shards) {
    const bool before = selection_.Matches(shard.definition);
    const bool after = selection.Matches(shard.definition);
    if (before == after) continue;
    if (after) {
      changed.add_added_shard_ids(shard.id.bytes());
    } else {
      changed.add_removed_shard_ids(shard.id.bytes());
    }
  }
  selection_ = std::move(selection);
  wants_.clear();
  picked_.reset();
  marked_.reset();
  return std::optional<v1::ChangesResponse>(std::move(response));
}

absl::StatusOr<bool> ChangeFeed::Wants(const CatalogReader& reader, const ShardId& shard,
                                       absl::string_view record_key) {
  ASSIGN_OR_RETURN(const bool with_shard, WantsShard(reader, shard));
  if (selection_.picks().empty()) return with_shard;
  ASSIGN_OR_RETURN(const RecordKey key, RecordKey::Decode(record_key));
  if (!selection_.Picks(key) || (key.kept() && key.kept_by == child_)) return with_shard;
  picks_changed_.insert(key.id);
  return true;
}

absl::StatusOr<bool> ChangeFeed::WantsShard(const CatalogReader& reader, const ShardId& shard) {
  auto known = wants_.find(shard);
  if (known == wants_.end()) {
    ASSIGN_OR_RETURN(const ShardInfo info, reader.Shard(shard));
    const v1::ShardDefinition& definition = info.definition;
    const bool wants = CountsIn(selection_, definition, child_);
    const std::string& owner =
        definition.kept_by().empty() ? definition.site_node_id() : definition.kept_by();
    known = wants_.emplace(shard, Wish{wants, owner}).first;
  }
  if (!known->second.owner.empty()) owners_.push_back(known->second.owner);
  return known->second.wants;
}

// At the head every entry was seen, so that the sums follow from those that spoke of a pick.
absl::Status ChangeFeed::LookAtPicks(const CatalogReader& reader) {
  const absl::flat_hash_set<Uuid> changed = std::exchange(picks_changed_, {});
  if (picked_.has_value()) return picked_->Look(reader, selection_, child_, changed);
  picked_.emplace();
  return picked_->LookAtAll(reader, selection_, child_);
}

}  // namespace sluice
