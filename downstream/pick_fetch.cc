#include "downstream/pick_fetch.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr int kItemsPerRequest = 512;

}  // namespace

void PickFetch::Want(const Uuid& update) {
  if (wanted_.insert(update).second) to_ask_.push_back(update);
}

std::vector<Uuid> PickFetch::wanted() const {
  std::vector<Uuid> updates(wanted_.begin(), wanted_.end());
  std::sort(updates.begin(), updates.end());
  return updates;
}

std::optional<v1::GetRecordsRequest> PickFetch::Next() {
  if (to_ask_.empty() && keys_to_ask_.empty()) return std::nullopt;
  v1::GetRecordsRequest request;
  request.set_mode(mode_);
  keys_asked_.clear();
  while (!keys_to_ask_.empty() && request.keys_size() < kItemsPerRequest) {
    *request.add_keys() = keys_to_ask_.front().ToProto();
    keys_asked_.push_back(keys_to_ask_.front());
    keys_to_ask_.pop_front();
  }
  while (!to_ask_.empty() && request.keys_size() + request.update_ids_size() < kItemsPerRequest) {
    request.add_update_ids(to_ask_.front().bytes());
    to_ask_.pop_front();
  }
  return request;
}

absl::Status PickFetch::Take(v1::GetRecordsResponse response, absl::Time now) {
  for (const v1::ShardDefinition& shard : response.shards()) applier_.Define(shard);
  CatalogChange change;
  bool answered = false;
  for (v1::GetRecordsItem& item : *response.mutable_items()) {
    const std::optional<RecordKey> asked =
        keys_asked_.empty() ? std::nullopt : std::optional(keys_asked_.front());
    if (asked.has_value()) keys_asked_.pop_front();
    if (item.status().code() == 0) {
      answered = true;
      if (const auto key = RecordKey::FromProto(item.record().key()); key.ok()) {
        RETURN_IF_ERROR(applier_.DropTombstone(*key, change));
      }
      applier_.Add(std::move(*item.mutable_record()), now, change);
    } else if (item.status().reason() != ReasonName(v1::REASON_ITEM_NOT_YET) ||
               item.status().code() != static_cast<int>(absl::StatusCode::kUnavailable)) {
      answered = true;
      if (!asked.has_value()) ++absent_;
    } else if (asked.has_value()) {
      keys_to_ask_.push_back(*asked);
    } else if (const auto key = RecordKey::FromProto(item.record().key()); key.ok()) {
      keys_to_ask_.push_back(*key);
    } else {
      // Nothing of the update had room.
      ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(item.record().key().id()));
      to_ask_.push_back(update);
    }
  }
  if (!answered && response.items_size() > 0) {
    return absl::UnavailableError("the upstream puts off all that it is asked for");
  }
  return applier_.Commit(std::move(change));
}

}  // namespace sluice
