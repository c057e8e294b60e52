#include "storage/load_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/catalog_keys.h"
#include "storage/pack_frame.h"
#include "storage/payload.h"
#include "storage/record_pack.h"

namespace sluice {
namespace {

absl::Status Corrupt(const RecordKey& key, absl::string_view what) {
  return MakeError(v1::REASON_ITEM_CORRUPT, absl::StrCat(key.ToString(), ": ", what));
}

// What a pack may become; far more than any that is sent in good faith.
constexpr size_t kRowBytesMax = size_t{64} << 20;

// Where a view will be, once `bytes` no longer moves.
struct Span {
  size_t offset = 0;
  size_t size = 0;
  absl::string_view In(const std::string& bytes) const {
    return absl::string_view(bytes).substr(offset, size);
  }
};

// Checks the records of one pack, one after another, with the same working memory.
class PackCheck {
 public:
  PackCheck(const LoadContext& context, LoadRows& rows)
      : context_(context), rows_(rows), seq_(context.first_seq) {}

  absl::Status Check(const PackedRecord& packed);
  // Once all are in: views instead of offsets.
  void Settle();

 private:
  absl::Status CheckPresent(const RecordKey& key, const PackedRecord& packed,
                            const v1::ShardDefinition& shard);
  absl::Status CheckPolicy(const RecordKey& key);
  void FillHeader(const PackedRecord& packed, const ShardId& shard);
  void AppendRow(const PackedRecord& packed);

  const LoadContext& context_;
  LoadRows& rows_;
  uint64_t seq_;
  std::vector<std::pair<Span, Span>> spans_;  // Of values and members.
  std::string payload_;
  v1::Record parts_;
  stored::v1::RecordHeader header_;
  Digest digest_;
};

absl::Status PackCheck::Check(const PackedRecord& packed) {
  ASSIGN_OR_RETURN(const RecordKey key, RecordKey::Decode(packed.key));
  if (packed.shard >= context_.shards.size()) {
    return Corrupt(key, "came without its shard's definition");
  }
  const ShardInfo& shard = *context_.shards[packed.shard];
  const bool fits = shard.definition.stream() == StreamOf(key.kind) &&
                    shard.definition.kept_by() == (key.kept() ? key.kept_by.view() : "");
  if (!fits) return Corrupt(key, "does not fit its shard's definition");
  header_.Clear();
  if (packed.tombstone) {
    ASSIGN_OR_RETURN(digest_, Digest::FromBytes(packed.digest));
  } else {
    RETURN_IF_ERROR(CheckPresent(key, packed, shard.definition));
  }
  FillHeader(packed, shard.id);
  AppendRow(packed);
  return absl::OkStatus();
}

absl::Status PackCheck::CheckPresent(const RecordKey& key, const PackedRecord& packed,
                                     const v1::ShardDefinition& shard) {
  if (!packed.parts.empty()) {
    if (!parts_.ParseFromArray(packed.parts.data(), static_cast<int>(packed.parts.size()))) {
      return Corrupt(key, "its parts do not parse");
    }
    if (parts_.has_statement()) header_.mutable_statement()->Swap(parts_.mutable_statement());
  }
  if (key.kind == v1::RECORD_KIND_POLICY) {
    if (packed.parts.empty()) return Corrupt(key, "a policy without decisions");
    return CheckPolicy(key);
  }
  const absl::StatusOr<absl::string_view> payload =
      UnpackBody(packed.codec, packed.payload_bytes, packed.body, payload_);
  if (!payload.ok()) return Annotate(payload.status(), key.ToString());
  if (payload->size() != packed.payload_bytes) {
    return Corrupt(key, "the payload is not of the declared size");
  }
  digest_ = PayloadDigest(key.kind, *payload);
  return CheckPayload(key, shard, *payload, header_);
}

absl::Status PackCheck::CheckPolicy(const RecordKey& key) {
  RETURN_IF_ERROR(CheckDecisions(key.id, parts_.decisions()));
  digest_ = PolicyDigest(parts_.decisions());
  header_.mutable_decisions()->Swap(parts_.mutable_decisions());
  return absl::OkStatus();
}

void PackCheck::FillHeader(const PackedRecord& packed, const ShardId& shard) {
  header_.set_seq(seq_++);
  v1::Stamp& stamp = *header_.mutable_stamp();
  stamp.set_origin_id(packed.origin.data(), packed.origin.size());
  stamp.set_epoch_counter(packed.epoch_counter);
  stamp.set_version(packed.version);
  header_.set_shard_id(shard.view().data(), shard.view().size());
  header_.set_digest(digest_.view().data(), digest_.view().size());
  if (packed.tombstone) return header_.set_state(v1::RECORD_STATE_TOMBSTONE);
  header_.set_state(v1::RECORD_STATE_PRESENT);
  header_.set_codec(packed.codec);
  header_.set_payload_bytes(packed.payload_bytes);
}

void PackCheck::AppendRow(const PackedRecord& packed) {
  LoadRows::Row row;
  row.key = packed.key;
  row.digest = digest_;
  row.shard = packed.shard;
  std::string& bytes = rows_.bytes;
  const size_t value_at = bytes.size();
  AppendStored(header_, packed.tombstone ? "" : packed.body, bytes);
  const size_t member_at = bytes.size();
  if (!packed.tombstone) {
    AppendMember(digest_.view(), packed.epoch_counter, packed.version, packed.origin, bytes);
  }
  spans_.push_back({{value_at, member_at - value_at}, {member_at, bytes.size() - member_at}});
  rows_.rows.push_back(row);
  for (const stored::v1::FileReference& file : header_.files()) {
    // Its size was checked with the payload.
    rows_.file_uses.push_back({*Digest::FromBytes(file.sha256()), packed.key});
  }
  // A notice names its update, and does not need it.
  const bool needs = !header_.depends_on().empty() &&
                     RecordKey::Decode(packed.key)->kind == v1::RECORD_KIND_REVISION;
  if (!needs) return;
  for (const std::string& needed : header_.depends_on()) {
    rows_.dependents.push_back({*Uuid::FromBytes(needed), packed.key});
  }
}

void PackCheck::Settle() {
  for (size_t i = 0; i < spans_.size(); ++i) {
    rows_.rows[i].value = spans_[i].first.In(rows_.bytes);
    rows_.rows[i].member = spans_[i].second.In(rows_.bytes);
  }
}

}  // namespace

absl::Status FillLoadRows(const LoadContext& context, LoadRows& rows) {
  ASSIGN_OR_RETURN(const absl::string_view pack, OpenPackFrame(rows.received, rows.unframed));
  // About what headers and members add.
  rows.bytes.reserve(pack.size() * 2);
  PackCheck check(context, rows);
  RecordPackReader reader(pack);
  PackedRecord packed;
  int found = 0;
  while (reader.Next(packed)) {
    if (++found > context.count) break;
    RETURN_IF_ERROR(check.Check(packed));
    if (rows.bytes.size() > kRowBytesMax) {
      return MakeError(v1::REASON_ITEM_CORRUPT, "a pack unpacks to more than 64 MiB");
    }
  }
  RETURN_IF_ERROR(reader.status());
  if (found != context.count) {
    return MakeError(v1::REASON_ITEM_CORRUPT,
                     absl::StrCat("a pack of ", context.count, " records holds another number"));
  }
  check.Settle();
  return absl::OkStatus();
}

}  // namespace sluice
