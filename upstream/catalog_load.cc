#include "upstream/catalog_load.h"

#include <string>
#include <utility>

#include "common/errors.h"
#include "common/status.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

// A pack is sent after so many records that the child does not take, so that it sees progress.
constexpr int kScanMax = 50'000;

}  // namespace

absl::StatusOr<CatalogLoad> CatalogLoad::Open(const Catalog& catalog,
                                              const v1::LoadRequest& request, int64_t pack_bytes) {
  ASSIGN_OR_RETURN(const Uuid child, Uuid::FromBytes(request.node_id()));
  CatalogLoad load(catalog.Read(), pack_bytes);
  const CatalogReader& reader = *load.reader_;
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const Selection selection,
                   Selection::Expand(reader, request.subscription(), request.mode()));
  ASSIGN_OR_RETURN(const Fingerprint fingerprint, SelectionFingerprint(reader, selection, child));
  ASSIGN_OR_RETURN(std::vector<ShardInfo> shards, reader.ShardsEverUsed());
  for (ShardInfo& shard : shards) {
    Place& place = load.shards_[shard.id];
    place.wanted = CountsIn(selection, shard.definition, child);
    place.definition = std::move(shard.definition);
  }
  load.open_.set_at_seq(state.head_seq());
  *load.open_.mutable_epoch() = state.epoch();
  load.open_.set_selection_hash(selection.hash().bytes());
  *load.open_.mutable_fingerprint() = fingerprint.ToProto();
  load.open_.set_records(static_cast<int64_t>(fingerprint.count()));
  load.child_ = child;
  load.selection_ = selection;
  return load;
}

CatalogLoad::CatalogLoad(CatalogReader reader, int64_t pack_bytes)
    : pack_bytes_(pack_bytes),
      reader_(std::make_unique<const CatalogReader>(std::move(reader))),
      cursor_(reader_->view().Scan(Family::kRecords, "", "")) {}

CatalogLoad::Step CatalogLoad::Next() {
  Step step;
  if (stage_ == Stage::kOver) return step;
  absl::StatusOr<v1::LoadResponse> message = Advance();
  if (message.ok()) {
    step.kind = Step::Kind::kMessage;
    step.message = *std::move(message);
  } else {
    stage_ = Stage::kOver;
    step.status = message.status();
  }
  return step;
}

absl::StatusOr<v1::LoadResponse> CatalogLoad::Advance() {
  v1::LoadResponse response;
  if (stage_ == Stage::kOpen) {
    stage_ = Stage::kPacks;
    *response.mutable_open() = open_;
    return response;
  }
  if (stage_ == Stage::kPacks && cursor_->Valid()) return MakePack();
  RETURN_IF_ERROR(cursor_->status());
  stage_ = Stage::kOver;
  response.mutable_end();
  return response;
}

absl::StatusOr<v1::LoadResponse> CatalogLoad::MakePack() {
  v1::LoadResponse response;
  v1::LoadPack& pack = *response.mutable_pack();
  for (int scanned = 0; cursor_->Valid() && scanned < kScanMax; ++scanned) {
    const auto next_bytes = static_cast<int64_t>(cursor_->value().size());
    if (writer_.count() > 0 && writer_.size_bytes() + next_bytes > pack_bytes_) break;
    RETURN_IF_ERROR(AddRecord(pack));
    cursor_->Next();
  }
  pack.set_count(writer_.count());
  pack.set_records(framer_.Frame(writer_.pack()));
  writer_.Clear();
  return response;
}

absl::Status CatalogLoad::AddRecord(v1::LoadPack& pack) {
  ASSIGN_OR_RETURN(const StoredParts stored, SplitStored(cursor_->value()));
  HeaderFields header;
  const absl::StatusOr<ShardId> shard = ScanHeader(stored.header, header)
                                            ? ShardId::FromBytes(header.shard_id)
                                            : absl::InvalidArgumentError("not a header");
  const auto found = shard.ok() ? shards_.find(*shard) : shards_.end();
  if (found == shards_.end()) {
    return MakeError(v1::REASON_STORE_CORRUPT, "a stored record's header or shard cannot be read");
  }
  Place& place = found->second;
  if (!place.wanted) {
    ASSIGN_OR_RETURN(const bool picked, Picked());
    if (!picked) return absl::OkStatus();
  }
  if (place.place == kUnnamed) {
    place.place = named_++;
    *pack.add_shards() = place.definition;
  }
  PackedRecord packed;
  packed.key = cursor_->key();
  packed.tombstone = header.state == v1::RECORD_STATE_TOMBSTONE;
  packed.origin = header.origin;
  packed.epoch_counter = header.epoch_counter;
  packed.version = header.version;
  packed.shard = static_cast<uint32_t>(place.place);
  if (!packed.tombstone) packed.codec = header.codec;
  packed.digest = header.digest;
  packed.payload_bytes = header.payload_bytes;
  packed.body = stored.body;
  if (header.has_parts) RETURN_IF_ERROR(AddParts(packed));
  writer_.Add(packed);
  return absl::OkStatus();
}

absl::StatusOr<bool> CatalogLoad::Picked() const {
  if (selection_->picks().empty()) return false;
  ASSIGN_OR_RETURN(const RecordKey key, RecordKey::Decode(cursor_->key()));
  return selection_->Picks(key) && !(key.kept() && key.kept_by == child_);
}

absl::Status CatalogLoad::AddParts(PackedRecord& packed) {
  ASSIGN_OR_RETURN(stored::v1::RecordHeader header, DecodeHeader(cursor_->value()));
  v1::Record parts;
  parts.mutable_decisions()->Swap(header.mutable_decisions());
  if (header.has_statement()) *parts.mutable_statement() = header.statement();
  parts_ = parts.SerializeAsString();
  packed.parts = parts_;
  return absl::OkStatus();
}

}  // namespace sluice
