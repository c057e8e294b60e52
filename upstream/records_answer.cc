#include "upstream/records_answer.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/payload.h"
#include "storage/picked_records.h"
#include "storage/selection.h"
#include "storage/session_rows.h"
#include "upstream/absence.h"

namespace sluice {
namespace {

constexpr int64_t kAnswerBytesMax = 1'000'000;

absl::Status Full() {
  return MakeError(v1::REASON_ITEM_NOT_YET, "the answer is full; ask for it again");
}

// Names an update as a whole.
v1::RecordKey UpdateKey(const Uuid& update) {
  v1::RecordKey key;
  key.set_kind(v1::RECORD_KIND_REVISION);
  key.set_id(update.bytes());
  return key;
}

// Whether this node's own upstream may have what is not here yet.
absl::StatusOr<bool> IsCatchingUp(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  if (above.node_id().empty()) return false;
  ASSIGN_OR_RETURN(const std::optional<v1::SyncOutcome> last, LastOutcome(reader));
  return last != v1::SYNC_OUTCOME_SUCCEEDED;
}

}  // namespace

absl::Status RecordsAnswer::Refuse(const absl::Status& why, v1::RecordKey key) {
  v1::GetRecordsItem& item = *response_.add_items();
  item.mutable_status()->set_code(static_cast<int>(why.code()));
  item.mutable_status()->set_reason(ReasonName(ReasonOf(why)));
  item.mutable_status()->set_message(std::string(why.message()));
  if (!key.id().empty()) *item.mutable_record()->mutable_key() = std::move(key);
  return absl::OkStatus();
}

absl::Status RecordsAnswer::AddRecord(const RecordKey& key, v1::NodeMode mode) {
  if (mode == v1::NODE_MODE_AUTONOMOUS && StreamOf(key.kind) == v1::STREAM_KIND_POLICY) {
    return Refuse(MakeError(v1::REASON_ITEM_FILTERED, "an autonomous node decides itself"), {});
  }
  absl::StatusOr<v1::Record> record = reader_.GetRecord(key);
  const bool absent = ReasonOf(record.status()) == v1::REASON_ITEM_NOT_FOUND;
  if (absent && !catching_up_.has_value()) {
    ASSIGN_OR_RETURN(catching_up_, IsCatchingUp(reader_));
  }
  if (absent && *catching_up_) {
    record = WithReason(absl::NotFoundError("this node has not caught up with its own upstream"),
                        v1::REASON_ITEM_NOT_YET);
  }
  if (!record.ok()) {
    RETURN_IF_ERROR(Refuse(record.status(), {}));
    return ExplainAbsence(reader_, key, defined_, response_, *response_.mutable_items()->rbegin());
  }
  const auto record_bytes = static_cast<int64_t>(record->ByteSizeLong());
  if (size_bytes_ > 0 && size_bytes_ + record_bytes > kAnswerBytesMax) {
    full_ = true;
    return Refuse(Full(), {});
  }
  ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(record->shard_id()));
  if (defined_.insert(shard).second) {
    ASSIGN_OR_RETURN(const ShardInfo info, reader_.Shard(shard));
    *response_.add_shards() = info.definition;
  }
  size_bytes_ += record_bytes;
  *response_.add_items()->mutable_record() = *std::move(record);
  return absl::OkStatus();
}

absl::Status RecordsAnswer::AddUpdate(const Uuid& update, v1::NodeMode mode) {
  if (full_) return Refuse(Full(), UpdateKey(update));
  ASSIGN_OR_RETURN(const std::vector<PlacedRecord> records, RecordsAbout(reader_, update));
  if (records.empty()) return Refuse(NotHere(update), UpdateKey(update));
  for (const PlacedRecord& record : records) {
    const RecordKey& key = record.member.key;
    if (mode == v1::NODE_MODE_AUTONOMOUS && key.kind == v1::RECORD_KIND_POLICY) continue;
    RETURN_IF_ERROR(AddRecord(key, mode));
    if (full_)
      *response_.mutable_items()->rbegin()->mutable_record()->mutable_key() = key.ToProto();
  }
  return absl::OkStatus();
}

// A node that takes but a part of what its upstream has cannot tell whether there is more of it.
absl::Status RecordsAnswer::NotHere(const Uuid& update) const {
  ASSIGN_OR_RETURN(const v1::Subscription subscription, ReadSubscription(reader_));
  const bool everything = subscription.products().empty() &&
                          subscription.classifications().empty() &&
                          subscription.languages().empty();
  if (everything) {
    return MakeError(v1::REASON_ITEM_NOT_FOUND,
                     absl::StrCat("update ", update.ToString(), " is not here"));
  }
  return MakeError(v1::REASON_ITEM_FILTERED,
                   absl::StrCat("update ", update.ToString(),
                                " is not here, and this node takes a part of what its upstream "
                                "has; pin it here first"));
}

}  // namespace sluice
