#include "storage/payload.h"

#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "storage/payload_columns.h"

namespace sluice {
namespace {

constexpr int kZstdLevel = 3;
// What is smaller stays as it is: it packs better with its neighbours, in the store's blocks and on
// the wire, than by itself (docs/decisions/0016).
constexpr size_t kPackedAloneBytesMin = 4096;

std::atomic<int64_t> serialised_count{0};
std::atomic<int64_t> decompressed_count{0};

std::string SerializeDeterministically(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  ++serialised_count;
  return bytes;
}

// zstd's working memory, kept by each thread: to make it anew takes longer than a payload does.
ZSTD_CCtx* CompressionContext() {
  thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                                  &ZSTD_freeCCtx);
  return context.get();
}
ZSTD_DCtx* DecompressionContext() {
  thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                                  &ZSTD_freeDCtx);
  return context.get();
}

// The zstd frame of `payload`, or nothing when it is small or that is no smaller.
std::string Compress(absl::string_view payload) {
  if (payload.size() < kPackedAloneBytesMin) return "";
  std::string frame(ZSTD_compressBound(payload.size()), '\0');
  const size_t size = ZSTD_compressCCtx(CompressionContext(), frame.data(), frame.size(),
                                        payload.data(), payload.size(), kZstdLevel);
  if (ZSTD_isError(size) || size >= payload.size()) return "";
  frame.resize(size);
  return frame;
}

absl::Status Corrupt(absl::string_view what) { return MakeError(v1::REASON_ITEM_CORRUPT, what); }

absl::Status Corrupt(const RecordKey& key, absl::string_view what) {
  return Corrupt(absl::StrCat(key.ToString(), ": ", what));
}

absl::Status Corrupt(const v1::Record& record, absl::string_view what) {
  const absl::StatusOr<RecordKey> key = RecordKey::FromProto(record.key());
  return Corrupt(absl::StrCat(key.ok() ? key->ToString() : "record", ": ", what));
}

// The payload's bytes, of the declared size and no more.
absl::StatusOr<std::string> Unpack(const v1::Record& record) {
  std::string buffer;
  const absl::StatusOr<absl::string_view> payload =
      UnpackBody(record.codec(), record.payload_bytes(), record.body(), buffer);
  if (ReasonOf(payload.status()) == v1::REASON_ITEM_CORRUPT) {
    return Corrupt(record, payload.status().message());
  }
  RETURN_IF_ERROR(payload.status());
  if (record.codec() == v1::CODEC_UNSPECIFIED) return record.body();
  return buffer;
}

template <typename Payload>
absl::StatusOr<Payload> UnpackAs(const v1::Record& record) {
  ASSIGN_OR_RETURN(const std::string bytes, Unpack(record));
  Payload payload;
  if (!payload.ParseFromString(bytes)) return Corrupt(record, "the payload does not parse");
  return payload;
}

// Serialises, compresses and digests; the columns and the shard are the caller's.
absl::StatusOr<CheckedRecord> Pack(const RecordKey& key, const google::protobuf::Message& payload,
                                   v1::ShardDefinition shard) {
  const std::string bytes = SerializeDeterministically(payload);
  if (static_cast<int64_t>(bytes.size()) > kPayloadBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        key.ToString(), ": ", bytes.size(), " bytes; a record has at most ", kPayloadBytesMax));
  }
  CheckedRecord packed;
  v1::Record& record = packed.record;
  *record.mutable_key() = key.ToProto();
  record.set_state(v1::RECORD_STATE_PRESENT);
  record.set_digest(PayloadDigest(key.kind, bytes).bytes());
  record.set_payload_bytes(static_cast<uint32_t>(bytes.size()));
  std::string frame = Compress(bytes);
  record.set_codec(frame.empty() ? v1::CODEC_UNSPECIFIED : v1::CODEC_ZSTD);
  record.set_body(frame.empty() ? bytes : std::move(frame));
  record.set_shard_id(ShardId::Of(shard).bytes());
  packed.shard = std::move(shard);
  return packed;
}

// Fills the columns of a packed record from the payload it was packed from.
template <typename Payload>
absl::StatusOr<CheckedRecord> PackWithColumns(const RecordKey& key, const Payload& payload,
                                              v1::ShardDefinition shard) {
  ASSIGN_OR_RETURN(CheckedRecord packed, Pack(key, payload, std::move(shard)));
  RETURN_IF_ERROR(FillColumns(payload, packed.header));
  CopyClearFields(packed.record, packed.header);
  return packed;
}

// Parses a received payload into the thread's own message of that kind: to make one anew takes
// longer than to read it.
template <typename Payload>
absl::StatusOr<const Payload*> ParsePayload(const RecordKey& key, absl::string_view bytes,
                                            const std::string& (Payload::*id)() const) {
  thread_local Payload payload;
  if (!payload.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Corrupt(key, "the payload does not parse");
  }
  if ((payload.*id)() != key.id.view()) {
    return Corrupt(key, "the payload is about another id than the key");
  }
  return &payload;
}

template <typename Payload>
absl::Status CheckPayloadAs(const RecordKey& key, absl::string_view bytes,
                            const std::string& (Payload::*id)() const,
                            stored::v1::RecordHeader& header) {
  ASSIGN_OR_RETURN(const Payload* const payload, ParsePayload(key, bytes, id));
  const absl::Status filled = FillColumns(*payload, header);
  return filled.ok() ? filled : Corrupt(key, filled.message());
}

// Whether `shard` is that of a revision, without making the shard's definition anew.
bool IsShardOf(const v1::Revision& revision, const RecordKey& key,
               const v1::ShardDefinition& shard) {
  const auto same = [](const auto& a, const auto& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  const bool plain = shard.stream() == v1::STREAM_KIND_CATALOG && !shard.always() &&
                     shard.site_node_id().empty() && shard.picked_by().empty() &&
                     shard.kept_by() == (key.kept() ? key.kept_by.view() : "");
  if (!plain || !same(shard.product_ids(), revision.product_ids()) ||
      shard.classification_id() != revision.classification_id()) {
    return false;
  }
  const bool neutral = std::any_of(revision.files().begin(), revision.files().end(),
                                   [](const auto& file) { return file.languages().empty(); });
  if (neutral || revision.files().empty()) return shard.languages().empty();
  return same(shard.languages(), ShardOfRevision(revision).languages());
}

absl::Status CheckRevision(const RecordKey& key, const v1::ShardDefinition& shard,
                           absl::string_view bytes, stored::v1::RecordHeader& header) {
  ASSIGN_OR_RETURN(const v1::Revision* const revision,
                   ParsePayload(key, bytes, &v1::Revision::update_id));
  const absl::Status filled = FillColumns(*revision, header);
  if (!filled.ok()) return Corrupt(key, filled.message());
  if (!IsShardOf(*revision, key, shard)) {
    return Corrupt(key, "is in another shard than its payload says");
  }
  return absl::OkStatus();
}

// What a node says is under its own name alone.
absl::Status CheckSiteNotice(const RecordKey& key, const v1::ShardDefinition& shard,
                             absl::string_view bytes, stored::v1::RecordHeader& header) {
  v1::SiteNotice notice;
  if (!notice.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Corrupt(key, "the payload does not parse");
  }
  const absl::Status filled = FillColumns(notice, header);
  if (!filled.ok()) return Corrupt(key, filled.message());
  ASSIGN_OR_RETURN(const Uuid node, Uuid::FromBytes(notice.node_id()));
  ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(notice.update_id()));
  if (SiteNoticeId(node, update) != key.id) {
    return Corrupt(key, "the payload is about another node or update than the key");
  }
  if (ShardId::Of(SiteShard(node)) != ShardId::Of(shard)) {
    return Corrupt(key, "is in another shard than its payload says");
  }
  return absl::OkStatus();
}

absl::Status CheckPolicy(const RecordKey& key, CheckedRecord& checked) {
  const v1::Record& record = checked.record;
  RETURN_IF_ERROR(CheckDecisions(key.id, record.decisions()));
  if (PolicyDigest(record.decisions()).view() != record.digest()) {
    return Corrupt(key, "the digest is not that of the decisions");
  }
  *checked.header.mutable_decisions() = record.decisions();
  return absl::OkStatus();
}

absl::Status CheckPresent(const RecordKey& key, CheckedRecord& checked) {
  if (key.kind == v1::RECORD_KIND_POLICY) return CheckPolicy(key, checked);
  ASSIGN_OR_RETURN(const std::string bytes, Unpack(checked.record));
  if (bytes.size() != checked.record.payload_bytes()) {
    return Corrupt(key, "the payload is not of the declared size");
  }
  if (PayloadDigest(key.kind, bytes).view() != checked.record.digest()) {
    return Corrupt(key, "the payload does not match the digest");
  }
  return CheckPayload(key, checked.shard, bytes, checked.header);
}

}  // namespace

PayloadCounters GetPayloadCounters() { return {serialised_count, decompressed_count}; }

Digest PayloadDigest(v1::RecordKind kind, absl::string_view payload) {
  const char kind_byte = static_cast<char>(kind);
  return Hasher().Update(absl::string_view(&kind_byte, 1)).Update(payload).Finish();
}

Digest PolicyDigest(const google::protobuf::RepeatedPtrField<v1::DecisionEntry>& decisions) {
  Hasher hasher;
  for (const v1::DecisionEntry& entry : decisions) hasher.Update(entry.digest());
  return hasher.Finish();
}

absl::StatusOr<CheckedRecord> PackCategory(const v1::Category& category) {
  ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(category.category_id()));
  return PackWithColumns({v1::RECORD_KIND_CATEGORY, id, 0, {}}, category,
                         AlwaysShard(v1::STREAM_KIND_CATALOG));
}

absl::StatusOr<CheckedRecord> PackRevision(const v1::Revision& revision, uint32_t number) {
  ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(revision.update_id()));
  return PackWithColumns({v1::RECORD_KIND_REVISION, id, number, {}}, revision,
                         ShardOfRevision(revision));
}

absl::StatusOr<CheckedRecord> PackTargetGroup(const v1::TargetGroup& group) {
  ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(group.group_id()));
  return PackWithColumns({v1::RECORD_KIND_TARGET_GROUP, id, 0, {}}, group,
                         AlwaysShard(v1::STREAM_KIND_POLICY));
}

absl::StatusOr<CheckedRecord> PackExpiry(const v1::Expiry& expiry,
                                         const v1::ShardDefinition& shard) {
  ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(expiry.update_id()));
  return PackWithColumns({v1::RECORD_KIND_EXPIRY, id, 0, {}}, expiry, shard);
}

absl::StatusOr<CheckedRecord> PackSiteNotice(const v1::SiteNotice& notice) {
  ASSIGN_OR_RETURN(const Uuid node, Uuid::FromBytes(notice.node_id()));
  ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(notice.update_id()));
  return PackWithColumns({v1::RECORD_KIND_SITE, SiteNoticeId(node, update), 0, {}}, notice,
                         SiteShard(node));
}

absl::StatusOr<v1::DecisionEntry> PackDecision(const v1::Decision& decision) {
  RETURN_IF_ERROR(Uuid::FromBytes(decision.update_id()).status());
  if (decision.key().empty()) return absl::InvalidArgumentError("a decision without key");
  v1::DecisionEntry entry;
  entry.set_key(decision.key());
  entry.set_body(SerializeDeterministically(decision));
  entry.set_digest(Digest::Of(entry.body()).bytes());
  return entry;
}

absl::StatusOr<CheckedRecord> PackPolicy(const Uuid& update_id,
                                         const std::vector<v1::DecisionEntry>& decisions,
                                         const v1::ShardDefinition& shard) {
  if (decisions.empty()) return absl::InvalidArgumentError("a policy without decisions");
  CheckedRecord packed;
  v1::Record& record = packed.record;
  *record.mutable_key() = RecordKey{v1::RECORD_KIND_POLICY, update_id, 0, {}}.ToProto();
  record.set_state(v1::RECORD_STATE_PRESENT);
  for (const v1::DecisionEntry& entry : decisions) *record.add_decisions() = entry;
  std::sort(
      record.mutable_decisions()->begin(), record.mutable_decisions()->end(),
      [](const v1::DecisionEntry& a, const v1::DecisionEntry& b) { return a.key() < b.key(); });
  record.set_digest(PolicyDigest(record.decisions()).bytes());
  record.set_shard_id(ShardId::Of(shard).bytes());
  packed.shard = shard;
  *packed.header.mutable_decisions() = record.decisions();
  CopyClearFields(record, packed.header);
  return packed;
}

absl::StatusOr<CheckedRecord> CheckRecord(v1::Record record, const v1::ShardDefinition& shard) {
  CheckedRecord checked;
  checked.record = std::move(record);
  checked.shard = shard;
  const absl::StatusOr<RecordKey> key = RecordKey::FromProto(checked.record.key());
  if (!key.ok()) return Corrupt(checked.record, key.status().message());
  if (!Stamp::FromProto(checked.record.stamp()).ok() ||
      !Digest::FromBytes(checked.record.digest()).ok()) {
    return Corrupt(checked.record, "stamp or digest are malformed");
  }
  if (!v1::RecordKind_IsValid(key->kind)) {
    return MakeError(v1::REASON_ITEM_TOO_NEW,
                     absl::StrCat(key->ToString(), " is of kind ", static_cast<int>(key->kind),
                                  ", which this release does not know"));
  }
  const bool in_shard = ShardId::Of(shard).bytes() == checked.record.shard_id() &&
                        shard.stream() == StreamOf(key->kind) &&
                        shard.kept_by() == checked.record.key().kept_by();
  if (!in_shard) return Corrupt(checked.record, "does not fit its shard's definition");
  if (checked.record.state() == v1::RECORD_STATE_PRESENT) {
    RETURN_IF_ERROR(CheckPresent(*key, checked));
  } else if (checked.record.state() != v1::RECORD_STATE_TOMBSTONE) {
    return MakeError(v1::REASON_ITEM_TOO_NEW, absl::StrCat("state ", checked.record.state()));
  } else {
    checked.record.clear_body();
    checked.record.clear_decisions();
  }
  CopyClearFields(checked.record, checked.header);
  return checked;
}

absl::StatusOr<absl::string_view> UnpackBody(v1::Codec codec, uint32_t payload_bytes,
                                             absl::string_view body, std::string& buffer) {
  if (payload_bytes > kPayloadBytesMax) {
    return Corrupt(absl::StrCat("declares a payload of ", payload_bytes, " bytes; the limit is ",
                                kPayloadBytesMax));
  }
  if (codec == v1::CODEC_UNSPECIFIED) return body;
  if (codec != v1::CODEC_ZSTD) {
    return MakeError(v1::REASON_ITEM_TOO_NEW, absl::StrCat("codec ", codec));
  }
  ++decompressed_count;
  buffer.resize(payload_bytes);
  const size_t size = ZSTD_decompressDCtx(DecompressionContext(), buffer.data(), buffer.size(),
                                          body.data(), body.size());
  if (ZSTD_isError(size) || size != payload_bytes) {
    return Corrupt("the body does not decompress to its declared size");
  }
  return absl::string_view(buffer);
}

absl::Status CheckPayload(const RecordKey& key, const v1::ShardDefinition& shard,
                          absl::string_view payload, stored::v1::RecordHeader& header) {
  switch (key.kind) {
    case v1::RECORD_KIND_CATEGORY:
      return CheckPayloadAs(key, payload, &v1::Category::category_id, header);
    case v1::RECORD_KIND_REVISION:
      return CheckRevision(key, shard, payload, header);
    case v1::RECORD_KIND_EXPIRY:
      return CheckPayloadAs(key, payload, &v1::Expiry::update_id, header);
    case v1::RECORD_KIND_TARGET_GROUP:
      return CheckPayloadAs(key, payload, &v1::TargetGroup::group_id, header);
    case v1::RECORD_KIND_SITE:
      return CheckSiteNotice(key, shard, payload, header);
    default:
      return MakeError(v1::REASON_ITEM_TOO_NEW, absl::StrCat("record kind ", key.kind));
  }
}

absl::Status CheckDecisions(
    const Uuid& update_id, const google::protobuf::RepeatedPtrField<v1::DecisionEntry>& decisions) {
  const RecordKey key = {v1::RECORD_KIND_POLICY, update_id, 0, {}};
  absl::string_view before;
  for (const v1::DecisionEntry& entry : decisions) {
    v1::Decision decision;
    const bool sound = Digest::Of(entry.body()).view() == entry.digest() &&
                       decision.ParseFromString(entry.body()) && decision.key() == entry.key() &&
                       decision.update_id() == update_id.view() && before < entry.key() &&
                       Stamp::FromProto(entry.stamp()).ok();
    if (!sound) {
      return Corrupt(key, absl::StrCat("decision \"", entry.key(), "\" is not sound"));
    }
    before = entry.key();
  }
  return decisions.empty() ? Corrupt(key, "a policy without decisions") : absl::OkStatus();
}

absl::StatusOr<v1::Revision> UnpackRevision(const v1::Record& record) {
  return UnpackAs<v1::Revision>(record);
}
absl::StatusOr<v1::Category> UnpackCategory(const v1::Record& record) {
  return UnpackAs<v1::Category>(record);
}
absl::StatusOr<v1::TargetGroup> UnpackTargetGroup(const v1::Record& record) {
  return UnpackAs<v1::TargetGroup>(record);
}
absl::StatusOr<v1::Expiry> UnpackExpiry(const v1::Record& record) {
  return UnpackAs<v1::Expiry>(record);
}

absl::StatusOr<v1::SiteNotice> UnpackSiteNotice(const v1::Record& record) {
  return UnpackAs<v1::SiteNotice>(record);
}

absl::StatusOr<v1::Decision> UnpackDecision(const v1::DecisionEntry& entry) {
  v1::Decision decision;
  if (!decision.ParseFromString(entry.body())) {
    return MakeError(v1::REASON_ITEM_CORRUPT,
                     absl::StrCat("decision \"", entry.key(), "\" does not parse"));
  }
  return decision;
}

}  // namespace sluice
